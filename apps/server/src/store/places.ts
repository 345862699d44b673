import { sql } from 'kysely';
import type { Executor } from './database.ts';
import type { Row } from './schema.ts';

export type PlaceTable = 'data_center' | 'host_pod_ref' | 'cluster';

/** What a place belongs to: its name is its own among those. */
const parents = { data_center: undefined, host_pod_ref: 'data_center_id', cluster: 'pod_id' } as const;

/** A place, locked so that nothing comes into it until the transaction ends: see the triggers `living_place`. */
export async function lockPlace<T extends PlaceTable>(
  executor: Executor,
  table: T,
  uuid: string,
): Promise<Row<T> | undefined> {
  const { rows } = await sql<Row<T>>`
    select * from ${sql.table(table)} where uuid = ${uuid} and removed is null for update
  `.execute(executor);
  return rows[0];
}

export async function isPlaceNameTaken(
  executor: Executor,
  table: PlaceTable,
  name: string,
  parentId: number | undefined,
): Promise<boolean> {
  const parent = parents[table];
  const within = parent === undefined ? sql`true` : sql`${sql.ref(parent)} = ${parentId}`;
  const { rows } = await sql`
    select from ${sql.table(table)} where lower(name) = ${name.toLowerCase()} and removed is null and ${within}
  `.execute(executor);
  return rows.length > 0;
}

/** What lives in places, by the column that names the place, and how it is called. */
const contents = {
  data_center: [
    ['host_pod_ref', 'data_center_id', 'pod'],
    ['host', 'data_center_id', 'host'],
    ['vm_instance', 'data_center_id', 'instance'],
    ['volumes', 'data_center_id', 'volume'],
    ['storage_pool', 'data_center_id', 'storage pool'],
    ['data_store', 'data_center_id', 'image store'],
    ['networks', 'data_center_id', 'network'],
    ['physical_network', 'data_center_id', 'physical network'],
  ],
  host_pod_ref: [
    ['cluster', 'pod_id', 'cluster'],
    ['host', 'pod_id', 'host'],
    ['storage_pool', 'pod_id', 'storage pool'],
  ],
  cluster: [
    ['host', 'cluster_id', 'host'],
    ['storage_pool', 'cluster_id', 'storage pool'],
  ],
} as const;

/** Something that is still in a place, in words, `the host kvm-2`; undefined when it is empty. */
export async function whatIsIn(
  executor: Executor,
  table: PlaceTable,
  id: number,
): Promise<string | undefined> {
  for (const [content, column, word] of contents[table]) {
    const { rows } = await sql<{ name: string }>`
      select name from ${sql.table(content)} where ${sql.ref(column)} = ${id} and removed is null order by id limit 1
    `.execute(executor);
    if (rows[0]) return `the ${word} ${rows[0].name}`;
  }
  return undefined;
}

export async function removePlace(executor: Executor, table: PlaceTable, id: number): Promise<void> {
  const removed = new Date();
  await executor.updateTable(table).set({ removed }).where('id', '=', id).execute();
  if (table !== 'data_center') return;
  await executor
    .updateTable('template_zone_ref')
    .set({ removed })
    .where('zone_id', '=', id)
    .where('removed', 'is', null)
    .execute();
}

/** Templates that are registered for every zone are in a new one, too. */
export async function addCrossZoneTemplates(executor: Executor, zoneId: number): Promise<void> {
  await sql`
    insert into template_zone_ref (zone_id, template_id)
    select ${zoneId}, id from vm_template where cross_zones and removed is null
  `.execute(executor);
}
