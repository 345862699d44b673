import { randomUUID } from 'node:crypto';
import type { ParamsOf, ServerMethods } from '@millrace/agent-protocol';
import { sql } from 'kysely';
import type { Executor } from './database.ts';
import type { Row } from './schema.ts';

export type HostHello = ParamsOf<ServerMethods, 'host.hello'>;
export type HostHeartbeat = ParamsOf<ServerMethods, 'host.heartbeat'>;

/** The host a certificate names, unless it has been removed. */
export async function findHost(executor: Executor, uuid: string): Promise<Row<'host'> | undefined> {
  return executor
    .selectFrom('host')
    .selectAll()
    .where('uuid', '=', uuid)
    .where('removed', 'is', null)
    .executeTakeFirst();
}

/** Takes over what a host says of itself. One that was not Up is Connecting until it runs nothing that it must not. */
export async function recordHello(
  executor: Executor,
  host: Row<'host'>,
  hello: HostHello,
  now: Date,
): Promise<void> {
  await executor
    .updateTable('host')
    .set({
      ...(host.renamed ? {} : { name: hello.hostName }),
      status: sql<string>`case status when 'Up' then 'Up' else 'Connecting' end`,
      arch: hello.arch,
      cpus: hello.cpus,
      speed: hello.cpuMhz,
      ram: hello.memoryBytes,
      hypervisor_version: hello.hypervisorVersion,
      virt_type: hello.virtType,
      version: hello.agentVersion,
      type: hello.role === 'image-store' ? 'SecondaryStorageVM' : 'Routing',
      image_host_url: hello.imageServer?.hostUrl ?? null,
      image_public_url: hello.imageServer?.publicUrl ?? null,
      private_ip_address: hello.addresses[0] ?? null,
      last_ping: now,
      disconnected: null,
    })
    .where('id', '=', host.id)
    .execute();
  if (hello.localPool) await recordLocalPool(executor, host, hello.hostName, hello.localPool);
}

/** The host takes instances from now on. */
export async function recordConnected(executor: Executor, hostId: number): Promise<void> {
  await executor
    .updateTable('host')
    .set({ status: 'Up' })
    .where('id', '=', hostId)
    .where('status', '=', 'Connecting')
    .execute();
}

/**
 * A heartbeat also brings back a host that was given up while the database, or the way to it, was away.
 * @returns false when the host was deleted
 */
export async function recordHeartbeat(
  executor: Executor,
  hostId: number,
  beat: HostHeartbeat,
  now: Date,
): Promise<boolean> {
  const { numUpdatedRows } = await executor
    .updateTable('host')
    .set({
      status: 'Up',
      ram_free: beat.memoryFreeBytes,
      load_average: beat.loadAverage,
      last_ping: now,
      disconnected: null,
    })
    .where('id', '=', hostId)
    .where('removed', 'is', null)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) return false;
  if (beat.localPool) await updatePoolSpace(executor, hostId, beat.localPool);
  return true;
}

/** Keeps what a host says of the space in its local pool, bytes. */
export async function updatePoolSpace(
  executor: Executor,
  hostId: number,
  space: { readonly capacityBytes: number; readonly availableBytes: number },
): Promise<void> {
  await executor
    .updateTable('storage_pool')
    .set(spaceOf(space))
    .where('scope', '=', 'HOST')
    .where('status', '=', 'Up')
    .where('id', 'in', (query) =>
      query.selectFrom('storage_pool_host_ref').select('pool_id').where('host_id', '=', hostId),
    )
    .execute();
}

async function recordLocalPool(
  executor: Executor,
  host: Row<'host'>,
  hostName: string,
  pool: NonNullable<HostHello['localPool']>,
): Promise<void> {
  const known = await executor
    .selectFrom('storage_pool')
    .innerJoin('storage_pool_host_ref', 'storage_pool_host_ref.pool_id', 'storage_pool.id')
    .select(['storage_pool.id', 'storage_pool.path'])
    .where('storage_pool_host_ref.host_id', '=', host.id)
    .where('storage_pool.scope', '=', 'HOST')
    .where('storage_pool.removed', 'is', null)
    .execute();
  const same = known.find((candidate) => candidate.path === pool.path);
  const others = known.filter((candidate) => candidate !== same).map((candidate) => candidate.id);
  // a host that was given another directory does not have the disks of the old one at hand
  if (others.length > 0)
    await executor.updateTable('storage_pool').set({ status: 'Down' }).where('id', 'in', others).execute();
  if (same) {
    await executor
      .updateTable('storage_pool')
      .set({
        ...spaceOf(pool),
        name: `${hostName}-local`,
        // what an administrator disabled stays so, whenever the host comes back
        status: sql<string>`case status when 'Down' then 'Up' else status end`,
      })
      .where('id', '=', same.id)
      .execute();
    return;
  }
  const { id } = await executor
    .insertInto('storage_pool')
    .values({
      uuid: randomUUID(),
      name: `${hostName}-local`,
      pool_type: 'Filesystem',
      scope: 'HOST',
      path: pool.path,
      data_center_id: host.data_center_id,
      pod_id: host.pod_id,
      cluster_id: host.cluster_id,
      ...spaceOf(pool),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  await executor
    .insertInto('storage_pool_host_ref')
    .values({ pool_id: id, host_id: host.id, local_path: pool.path })
    .execute();
}

function spaceOf(pool: { readonly capacityBytes: number; readonly availableBytes: number }) {
  return {
    capacity_bytes: pool.capacityBytes,
    used_bytes: Math.max(0, pool.capacityBytes - pool.availableBytes),
  };
}

/** A host whose agent went away. @returns undefined when it is no longer Up, or was heard of since `silentSince` */
export async function markDisconnected(
  executor: Executor,
  { hostId, silentSince, now }: { readonly hostId: number; readonly silentSince: Date; readonly now: Date },
): Promise<{ readonly uuid: string; readonly name: string } | undefined> {
  return executor
    .updateTable('host')
    .set({ status: 'Disconnected', disconnected: now })
    .where('id', '=', hostId)
    .where('status', 'in', ['Up', 'Connecting'])
    .where('removed', 'is', null)
    .where((where) => where.or([where('last_ping', 'is', null), where('last_ping', '<=', silentSince)]))
    .returning(['uuid', 'name'])
    .executeTakeFirst();
}

/** Hosts that are Up although nobody heard of them since `before`. */
export async function silentHosts(executor: Executor, before: Date): Promise<number[]> {
  const rows = await executor
    .selectFrom('host')
    .select('id')
    .where('status', 'in', ['Up', 'Connecting'])
    .where('removed', 'is', null)
    .where((where) => where.or([where('last_ping', 'is', null), where('last_ping', '<', before)]))
    .execute();
  return rows.map((row) => row.id);
}

/** Gives up hosts that have been away since `before`. @returns those given up now */
export async function alertLostHosts(
  executor: Executor,
  before: Date,
): Promise<{ id: number; uuid: string; name: string }[]> {
  return executor
    .updateTable('host')
    .set({ status: 'Alert' })
    .where('status', '=', 'Disconnected')
    .where('removed', 'is', null)
    .where('disconnected', '<', before)
    .returning(['id', 'uuid', 'name'])
    .execute();
}
