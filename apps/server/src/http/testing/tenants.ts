import { randomUUID } from 'node:crypto';
import type { Database } from '../../store/database.ts';
import { recordEvent } from '../../store/events.ts';
import { addTenant, type Keys, type Tenant, type TestApi } from './test-api.ts';

/** What one account has, by the names that parameters give it. */
export interface Belongings {
  readonly owner: Tenant & { readonly accountUuid: string; readonly domainUuid: string };
  readonly vm: string;
  readonly stoppedVm: string;
  readonly volume: string;
  readonly template: string;
  readonly iso: string;
  readonly network: string;
  readonly userData: string;
  readonly keyPair: string;
  readonly job: string;
  readonly event: string;
}

export interface Cast {
  /** In the domain of whoever owns what is asked for. */
  readonly colleague: Keys;
  readonly domainAdmin: Keys;
  readonly otherDomainAdmin: Keys;
  readonly stranger: Keys;
  readonly root: Keys;
  readonly reader: Keys;
}

/** Everybody who may try to reach what somebody in the domain `/acme/` owns. */
export async function makeCast(api: TestApi): Promise<Cast> {
  const { database } = api;
  const reader = await addTenant(database, 'reader', { type: 1 });
  await database
    .updateTable('account')
    .set((query) => ({
      role_id: query
        .selectFrom('roles')
        .select('roles.id')
        .where('roles.name', '=', 'Read-Only Admin - Default')
        .$asScalar(),
    }))
    .where('id', '=', reader.accountId)
    .execute();
  return {
    reader,
    root: api.admin,
    colleague: await addTenant(database, 'colleague', { domainPath: '/acme/' }),
    domainAdmin: await addTenant(database, 'chief', { type: 2, domainPath: '/acme/' }),
    otherDomainAdmin: await addTenant(database, 'boss', { type: 2, domainPath: '/rival/' }),
    stranger: await addTenant(database, 'stranger', { domainPath: '/rival/' }),
  };
}

/** A new account of `/acme/` with one of everything. */
export async function giveBelongings(database: Database, name: string, hostId: number): Promise<Belongings> {
  const tenant = await addTenant(database, name, { domainPath: '/acme/' });
  const place = await database.selectFrom('data_center').select('id').orderBy('id').executeTakeFirstOrThrow();
  const offering = await database
    .selectFrom('service_offering')
    .select('id')
    .orderBy('id')
    .executeTakeFirstOrThrow();
  const os = await database.selectFrom('guest_os').select('id').orderBy('id').executeTakeFirstOrThrow();
  const account = await database
    .selectFrom('account')
    .innerJoin('domain', 'domain.id', 'account.domain_id')
    .select(['account.uuid as accountUuid', 'domain.uuid as domainUuid'])
    .where('account.id', '=', tenant.accountId)
    .executeTakeFirstOrThrow();
  const owned = { account_id: tenant.accountId, guest_os_id: os.id };

  const image = async (format: string) => {
    const uuid = randomUUID();
    const row = await database
      .insertInto('vm_template')
      .values({
        ...owned,
        uuid,
        unique_name: uuid,
        name: `${format} of ${name}`,
        display_text: 'private',
        url: 'https://images.example/x',
        format,
        direct_download: true,
        size: 1024 ** 3,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    await database
      .insertInto('template_zone_ref')
      .values({ zone_id: place.id, template_id: row.id })
      .execute();
    return { id: row.id, uuid };
  };
  const template = await image('QCOW2');
  const iso = await image('ISO');
  const instance = async (state: string) => {
    const uuid = randomUUID();
    const row = await database
      .insertInto('vm_instance')
      .values({
        ...owned,
        uuid,
        name: `${state}-${name}`.toLowerCase(),
        display_name: state,
        instance_name: `i-${uuid.slice(0, 8)}-VM`,
        state,
        vm_template_id: template.id,
        host_id: state === 'Running' ? hostId : null,
        last_host_id: hostId,
        data_center_id: place.id,
        user_id: tenant.userId,
        service_offering_id: offering.id,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    await addVolume(database, { accountId: tenant.accountId, zoneId: place.id, vmId: row.id, type: 'ROOT' });
    return uuid;
  };
  const userData = randomUUID();
  await database
    .insertInto('user_data')
    .values({
      uuid: userData,
      account_id: tenant.accountId,
      name: 'cloud',
      user_data: 'I2Nsb3VkLWNvbmZpZwo=',
    })
    .execute();
  await database
    .insertInto('ssh_keypairs')
    .values({
      uuid: randomUUID(),
      account_id: tenant.accountId,
      keypair_name: `key-${name}`,
      fingerprint: randomUUID(),
      public_key: 'ssh-ed25519 AAAA',
    })
    .execute();
  const vm = await instance('Running');
  await database
    .insertInto('resource_tags')
    .values({
      ...{ key: 'made-for', value: name, resource_type: 'UserVm', resource_uuid: vm },
      account_id: tenant.accountId,
    })
    .execute();
  const network = randomUUID();
  await database
    .insertInto('networks')
    .values({
      ...{ uuid: network, name: `of ${name}`, display_text: 'private', data_center_id: place.id },
      ...{ guest_type: 'L2', kind: 'bridge', libvirt_name: network, bridge: 'br', uplink: 'br' },
      ...{ acl_type: 'Account', account_id: tenant.accountId, subdomain_access: false },
    })
    .execute();
  const job = randomUUID();
  await database
    .insertInto('async_job')
    .values({
      uuid: job,
      user_id: tenant.userId,
      account_id: tenant.accountId,
      job_cmd: 'startVirtualMachine',
      job_cmd_info: '{}',
      job_status: 1,
      job_result: '{}',
    })
    .execute();
  return {
    owner: { ...tenant, ...account },
    vm,
    stoppedVm: await instance('Stopped'),
    volume: await addVolume(database, { accountId: tenant.accountId, zoneId: place.id, type: 'DATADISK' }),
    template: template.uuid,
    iso: iso.uuid,
    network,
    userData,
    keyPair: `key-${name}`,
    job,
    event: await recordEvent(database, {
      type: 'VM.START',
      description: `of ${name}`,
      userId: tenant.userId,
      accountId: tenant.accountId,
    }),
  };
}

async function addVolume(
  database: Database,
  options: {
    readonly accountId: number;
    readonly zoneId: number;
    readonly vmId?: number;
    readonly type: string;
  },
): Promise<string> {
  const uuid = randomUUID();
  await database
    .insertInto('volumes')
    .values({
      uuid,
      name: `${options.type}-${uuid}`,
      account_id: options.accountId,
      data_center_id: options.zoneId,
      instance_id: options.vmId ?? null,
      volume_type: options.type,
      state: options.vmId === undefined ? 'Allocated' : 'Ready',
      size: 1024 ** 3,
    })
    .execute();
  return uuid;
}
