import { randomUUID } from 'node:crypto';
import type { Database } from '../database.ts';

/** The rows of a small cloud, as the bootstrap of a real one makes them. */
export interface CloudRows {
  readonly zoneId: number;
  readonly podId: number;
  readonly clusterId: number;
  readonly accountId: number;
  readonly userId: number;
  readonly offeringId: number;
  readonly networkId: number;
  readonly guestOsId: number;
}

export async function insertCloud(database: Database): Promise<CloudRows> {
  const id = async (query: { executeTakeFirstOrThrow(): Promise<{ id: number }> }) =>
    (await query.executeTakeFirstOrThrow()).id;
  const uuid = randomUUID;
  const domainId = await id(
    database.insertInto('domain').values({ uuid: uuid(), name: 'ROOT', path: '/' }).returning('id'),
  );
  const accountId = await id(
    database
      .insertInto('account')
      .values({ uuid: uuid(), account_name: 'admin', type: 1, domain_id: domainId })
      .returning('id'),
  );
  const userId = await id(
    database
      .insertInto('user')
      .values({ uuid: uuid(), username: 'admin', password: 'x', account_id: accountId })
      .returning('id'),
  );
  const zoneId = await id(
    database
      .insertInto('data_center')
      .values({ uuid: uuid(), name: 'zone1', dns1: '192.0.2.1', internal_dns1: '192.0.2.1', location: 'de' })
      .returning('id'),
  );
  const podId = await id(
    database
      .insertInto('host_pod_ref')
      .values({ uuid: uuid(), name: 'pod1', data_center_id: zoneId })
      .returning('id'),
  );
  const clusterId = await id(
    database
      .insertInto('cluster')
      .values({ uuid: uuid(), name: 'cluster1', pod_id: podId, data_center_id: zoneId })
      .returning('id'),
  );
  const offeringId = await id(
    database
      .insertInto('service_offering')
      .values({ uuid: uuid(), name: 'Tiny', display_text: 'Tiny', cpu: 1, speed: 500, ram_size: 128 })
      .returning('id'),
  );
  const networkId = await id(
    database
      .insertInto('networks')
      .values({
        uuid: uuid(),
        name: 'default',
        display_text: 'default',
        data_center_id: zoneId,
        libvirt_name: 'millrace',
        bridge: 'millrace0',
        gateway: '10.7.0.1',
        netmask: '255.255.255.0',
        cidr: '10.7.0.0/24',
        start_ip: '10.7.0.10',
        end_ip: '10.7.0.250',
        is_default: true,
      })
      .returning('id'),
  );
  const categoryId = await id(
    database.insertInto('guest_os_category').values({ uuid: uuid(), name: 'Linux' }).returning('id'),
  );
  const guestOsId = await id(
    database
      .insertInto('guest_os')
      .values({ uuid: uuid(), category_id: categoryId, display_name: 'Other Linux (64-bit)' })
      .returning('id'),
  );
  return { zoneId, podId, clusterId, accountId, userId, offeringId, networkId, guestOsId };
}

export interface HostRows {
  readonly hostId: number;
  readonly poolId: number;
}

/** A host that is Up, with its local pool. */
export async function insertHost(
  database: Database,
  cloud: CloudRows,
  name: string,
  options: { readonly ram?: number; readonly status?: string; readonly availableBytes?: number } = {},
): Promise<HostRows> {
  const host = await database
    .insertInto('host')
    .values({
      uuid: randomUUID(),
      name,
      status: options.status ?? 'Up',
      data_center_id: cloud.zoneId,
      pod_id: cloud.podId,
      cluster_id: cloud.clusterId,
      cpus: 4,
      speed: 2000,
      ram: options.ram ?? 8 * 1024 ** 3,
      last_ping: new Date(),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  const capacity = 100 * 1024 ** 3;
  const pool = await database
    .insertInto('storage_pool')
    .values({
      uuid: randomUUID(),
      name: `${name}-local`,
      pool_type: 'Filesystem',
      scope: 'HOST',
      path: `/pools/${name}`,
      data_center_id: cloud.zoneId,
      pod_id: cloud.podId,
      cluster_id: cloud.clusterId,
      capacity_bytes: capacity,
      used_bytes: capacity - (options.availableBytes ?? capacity),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  await database
    .insertInto('storage_pool_host_ref')
    .values({ pool_id: pool.id, host_id: host.id, local_path: `/pools/${name}` })
    .execute();
  return { hostId: host.id, poolId: pool.id };
}

export async function insertTemplate(
  database: Database,
  cloud: CloudRows,
  changes: { readonly size?: number | null; readonly checksum?: string; readonly format?: string } = {},
): Promise<number> {
  const uuid = randomUUID();
  const row = await database
    .insertInto('vm_template')
    .values({
      uuid,
      unique_name: `t-${uuid}`,
      name: 'tiny',
      display_text: 'tiny',
      url: 'http://user:secret@images.example.org/tiny.qcow2?token=secret',
      format: changes.format ?? 'QCOW2',
      account_id: cloud.accountId,
      guest_os_id: cloud.guestOsId,
      direct_download: true,
      size: changes.size === undefined ? 1024 ** 3 : changes.size,
      checksum: changes.checksum ?? null,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  await database
    .insertInto('template_zone_ref')
    .values({ zone_id: cloud.zoneId, template_id: row.id })
    .execute();
  return row.id;
}

export interface VmRows {
  readonly vmId: number;
  readonly vmUuid: string;
}

export async function insertVm(
  database: Database,
  cloud: CloudRows,
  options: {
    readonly templateId: number;
    readonly state?: string;
    readonly hostId?: number | null;
    readonly lastHostId?: number | null;
    readonly name?: string;
  },
): Promise<VmRows> {
  const uuid = randomUUID();
  const row = await database
    .insertInto('vm_instance')
    .values({
      uuid,
      name: options.name ?? 'vm',
      display_name: options.name ?? 'vm',
      instance_name: `i-1-${uuid.slice(0, 8)}-VM`,
      state: options.state ?? 'Starting',
      vm_template_id: options.templateId,
      guest_os_id: cloud.guestOsId,
      host_id: options.hostId ?? null,
      last_host_id: options.lastHostId ?? null,
      data_center_id: cloud.zoneId,
      account_id: cloud.accountId,
      user_id: cloud.userId,
      service_offering_id: cloud.offeringId,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return { vmId: row.id, vmUuid: uuid };
}
