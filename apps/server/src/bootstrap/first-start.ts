import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { z } from 'zod';
import { ipv4Number } from '../domain/addresses.ts';
import { hashPassword, isPasswordHash } from '../domain/password.ts';
import { parseSetting, type SettingName, settings } from '../domain/settings.ts';
import type { Database, Executor } from '../store/database.ts';
import { writeSetting } from '../store/settings.ts';
import { osTypes } from './os-types.ts';

const ipv4 = z.ipv4();
const settingText = (name: SettingName) =>
  z
    .string()
    .refine((text) => 'value' in parseSetting(settings[name], text), `must be a legal value of ${name}`);

/** What an operator decides about a new cloud. Everything else can be changed later. */
export const firstStartInput = z.object({
  /** Names the installation; the default of `instanceSuffix`. */
  instanceName: z.string().optional(),
  /** The end of instances' names on their hosts: clouds that share a libvirt need different ones. */
  instanceSuffix: settingText('instance.name').optional(),
  zoneName: z.string().min(1).max(255).default('Zone1'),
  /** DNS server that guests are told of; the network's gateway when absent. */
  dns1: ipv4.optional(),
  network: z
    .object({
      libvirtName: z.string().regex(/^[A-Za-z0-9-]{1,40}$/),
      bridge: z.string().regex(/^[A-Za-z0-9-]{1,15}$/),
      cidr: z.cidrv4(),
      gateway: ipv4,
      netmask: ipv4,
      startIp: ipv4,
      endIp: ipv4,
    })
    .refine(
      ({ startIp, endIp }) => ipv4Number(startIp) <= ipv4Number(endIp),
      'startIp must not be after endIp',
    ),
  admin: z
    .object({
      username: z.string().min(1).max(255).default('admin'),
      password: z.string().min(8).optional(),
      passwordHash: z.string().refine(isPasswordHash, 'must be an argon2id PHC string').optional(),
      apiKey: z.string().min(32).optional(),
      secretKey: z.string().min(32).optional(),
    })
    .refine((admin) => admin.password ?? admin.passwordHash, 'needs a password or a passwordHash'),
  /** CIDRs inside blocked ranges that image sources may be in. */
  allowedCidrs: z.array(z.string()).default([]),
});

export type FirstStartInput = z.input<typeof firstStartInput>;
type Decisions = z.output<typeof firstStartInput>;

export interface FirstStartResult {
  /** False when the cloud was there already: then nothing was changed. */
  readonly created: boolean;
  readonly zoneId: string;
  readonly podId: string;
  readonly clusterId: string;
  readonly networkId: string;
  readonly userId: string;
}

/** Any constant will do: it only has to be the same in every process that does this. */
const firstStartLock = 7_210_420;

/**
 * Makes what an operator of a new cloud would: domain, admin, zone, pod, cluster, offerings, default network and OS
 * types, in one transaction. Doing it again changes nothing but adding OS types that are new.
 * @throws ZodError when the input is not as `firstStartInput` says
 */
export async function bootstrap(database: Database, input: FirstStartInput): Promise<FirstStartResult> {
  const decisions = firstStartInput.parse(input);
  const { password, passwordHash } = decisions.admin;
  const hash = passwordHash ?? (await hashPassword(password ?? ''));
  return database.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(${firstStartLock})`.execute(trx);
    await addOsTypes(trx);
    const existing = await readExisting(trx);
    if (existing) return { created: false, ...existing };
    await addOfferings(trx);
    await addSettings(trx, decisions);
    return {
      created: true,
      ...(await addAdmin(trx, decisions, hash)),
      ...(await addZone(trx, decisions)),
    };
  });
}

async function readExisting(executor: Executor): Promise<Omit<FirstStartResult, 'created'> | undefined> {
  const row = await executor
    .selectFrom('data_center')
    .innerJoin('host_pod_ref', 'host_pod_ref.data_center_id', 'data_center.id')
    .innerJoin('cluster', 'cluster.pod_id', 'host_pod_ref.id')
    .innerJoin('networks', 'networks.data_center_id', 'data_center.id')
    .innerJoin('account', (join) => join.on('account.type', '=', 1))
    .innerJoin('user', 'user.account_id', 'account.id')
    .select([
      'data_center.uuid as zoneId',
      'host_pod_ref.uuid as podId',
      'cluster.uuid as clusterId',
      'networks.uuid as networkId',
      'user.uuid as userId',
    ])
    // one that was deleted says at least that there is a cloud
    .orderBy(
      sql`data_center.removed is null and cluster.removed is null and networks.removed is null`,
      'desc',
    )
    .orderBy('data_center.id')
    .orderBy('cluster.id')
    .orderBy('networks.id')
    .orderBy('user.id')
    .limit(1)
    .executeTakeFirst();
  return row;
}

async function addAdmin(executor: Executor, { admin }: Decisions, hash: string) {
  const domain = await executor
    .insertInto('domain')
    .values({ uuid: randomUUID(), name: 'ROOT', path: '/' })
    .returning('id')
    .executeTakeFirstOrThrow();
  const account = await executor
    .insertInto('account')
    .values({ uuid: randomUUID(), account_name: 'admin', type: 1, domain_id: domain.id })
    .returning('id')
    .executeTakeFirstOrThrow();
  const userId = randomUUID();
  await executor
    .insertInto('user')
    .values({
      uuid: userId,
      username: admin.username,
      password: hash,
      account_id: account.id,
      firstname: 'Admin',
      lastname: 'User',
      api_key: admin.apiKey ?? null,
      secret_key: admin.secretKey ?? null,
    })
    .execute();
  return { userId };
}

async function addZone(executor: Executor, { zoneName, network, dns1 }: Decisions) {
  const uuids = {
    zoneId: randomUUID(),
    podId: randomUUID(),
    clusterId: randomUUID(),
    networkId: randomUUID(),
  };
  const dns = dns1 ?? network.gateway;
  const zone = await executor
    .insertInto('data_center')
    .values({ uuid: uuids.zoneId, name: zoneName, dns1: dns, internal_dns1: dns })
    .returning('id')
    .executeTakeFirstOrThrow();
  const pod = await executor
    .insertInto('host_pod_ref')
    .values({ uuid: uuids.podId, name: 'Pod1', data_center_id: zone.id })
    .returning('id')
    .executeTakeFirstOrThrow();
  await executor
    .insertInto('cluster')
    .values({ uuid: uuids.clusterId, name: 'Cluster1', pod_id: pod.id, data_center_id: zone.id })
    .execute();
  const natOffering = await executor
    .selectFrom('network_offering')
    .select('id')
    .where('name', '=', 'HostNat')
    .executeTakeFirst();
  await executor
    .insertInto('networks')
    .values({
      uuid: uuids.networkId,
      name: 'Default',
      display_text: 'The default network, shared by all accounts',
      data_center_id: zone.id,
      libvirt_name: network.libvirtName,
      bridge: network.bridge,
      gateway: network.gateway,
      netmask: network.netmask,
      cidr: network.cidr,
      start_ip: network.startIp,
      end_ip: network.endIp,
      is_default: true,
      network_offering_id: natOffering?.id ?? null,
    })
    .execute();
  return uuids;
}

async function addOfferings(executor: Executor): Promise<void> {
  const offerings = [
    { name: 'Micro', cpu: 1, speed: 500, ram_size: 128 },
    { name: 'Small', cpu: 1, speed: 500, ram_size: 512 },
    { name: 'Medium', cpu: 1, speed: 1000, ram_size: 1024 },
  ];
  await executor
    .insertInto('service_offering')
    .values(
      offerings.map((offering) => ({
        ...offering,
        uuid: randomUUID(),
        display_text: `${offering.name}: ${offering.cpu} CPU of ${offering.speed} MHz, ${offering.ram_size} MiB`,
      })),
    )
    .execute();
}

async function addSettings(executor: Executor, decisions: Decisions): Promise<void> {
  const suffix = decisions.instanceSuffix ?? decisions.instanceName;
  if (suffix !== undefined && 'value' in parseSetting(settings['instance.name'], suffix)) {
    await writeSetting(executor, 'instance.name', suffix);
  }
  if (decisions.allowedCidrs.length > 0) {
    const name = 'direct.download.egress.allowed.cidrs';
    const parsed = parseSetting(settings[name], decisions.allowedCidrs.join(','));
    if ('problem' in parsed) throw new Error(`allowedCidrs: ${parsed.problem}`);
    await writeSetting(executor, name, String(parsed.value));
  }
}

async function addOsTypes(executor: Executor): Promise<void> {
  for (const [category, names] of Object.entries(osTypes)) {
    await executor
      .insertInto('guest_os_category')
      .values({ uuid: randomUUID(), name: category })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .execute();
    const { id } = await executor
      .selectFrom('guest_os_category')
      .select('id')
      .where('name', '=', category)
      .executeTakeFirstOrThrow();
    await executor
      .insertInto('guest_os')
      .values(names.map((name) => ({ uuid: randomUUID(), category_id: id, display_name: name })))
      .onConflict((conflict) => conflict.column('display_name').doNothing())
      .execute();
  }
}
