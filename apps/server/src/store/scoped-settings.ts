import { sql } from 'kysely';
import { type SettingScope, scopesOf } from '../domain/setting-scopes.ts';
import { isSettingName, type SettingName } from '../domain/settings.ts';
import type { Executor } from './database.ts';

/** Where a setting is asked for. What a pool or cluster is in, and the domains of an account, are known by themselves. */
export interface SettingPlace {
  readonly zoneId?: number | undefined;
  readonly clusterId?: number | undefined;
  readonly poolId?: number | undefined;
  readonly accountId?: number | undefined;
  readonly domainId?: number | undefined;
}

/** Where each scope keeps its values (tables and columns are CloudStack's), and what has them. */
const tables = {
  zone: { details: 'data_center_details', key: 'data_center_id', of: 'data_center', name: 'name' },
  cluster: { details: 'cluster_details', key: 'cluster_id', of: 'cluster', name: 'name' },
  storagepool: { details: 'storage_pool_details', key: 'pool_id', of: 'storage_pool', name: 'name' },
  account: { details: 'account_details', key: 'account_id', of: 'account', name: 'account_name' },
  domain: { details: 'domain_details', key: 'domain_id', of: 'domain', name: 'path' },
} as const satisfies Record<SettingScope, object>;

/** The stored texts that hold at a place, the nearest of each setting. */
export async function textsAt(executor: Executor, place: SettingPlace): Promise<Map<string, string>> {
  const id = (value: number | undefined) => sql`${value ?? null}::bigint`;
  const pool = (column: string) =>
    sql`(select ${sql.ref(column)} from data_store where id = ${id(place.poolId)})`;
  const { rows } = await sql<{ name: string; value: string; scope: SettingScope | 'global' }>`
    with cluster_here as (
      select coalesce(${id(place.clusterId)}, ${pool('cluster_id')}) as id
    ), here as (
      select cluster_here.id as cluster_id,
        coalesce(${id(place.zoneId)}, ${pool('data_center_id')},
          (select data_center_id from cluster where cluster.id = cluster_here.id)) as zone_id,
        (select path from domain where domain.id = coalesce(${id(place.domainId)},
          (select domain_id from account where account.id = ${id(place.accountId)}))) as domain_path
      from cluster_here
    )
    select name, value, 'global' as scope, 0 as rank from configuration
    union all select name, value, 'zone', 1 from data_center_details, here where data_center_id = zone_id
    union all select name, value, 'cluster', 2 from cluster_details, here
      where cluster_details.cluster_id = here.cluster_id
    union all select name, value, 'storagepool', 3 from storage_pool_details where pool_id = ${id(place.poolId)}
    union all select domain_details.name, value, 'domain', 10 + level from domain_details
      join domain on domain.id = domain_id join here on starts_with(domain_path, domain.path)
    union all select name, value, 'account', 1000000 from account_details where account_id = ${id(place.accountId)}
    order by rank
  `.execute(executor);
  return new Map(
    rows
      .filter(
        ({ name, scope }) => scope === 'global' || (isSettingName(name) && scopesOf(name).includes(scope)),
      )
      .map(({ name, value }) => [name, value]),
  );
}

export interface SettingHolder {
  readonly scope: SettingScope;
  readonly id: number;
  readonly name: string;
}

/** What may have values of its own. */
export async function findHolder(
  executor: Executor,
  scope: SettingScope,
  uuid: string,
): Promise<SettingHolder | undefined> {
  const { of, name } = tables[scope];
  const { rows } = await sql<{ id: number; name: string }>`
    select id, ${sql.ref(name)} as name from ${sql.table(of)} where uuid = ${uuid} and removed is null
  `.execute(executor);
  return rows[0] && { scope, ...rows[0] };
}

export function placeOfHolder({ scope, id }: SettingHolder): SettingPlace {
  switch (scope) {
    case 'zone':
      return { zoneId: id };
    case 'cluster':
      return { clusterId: id };
    case 'storagepool':
      return { poolId: id };
    case 'account':
      return { accountId: id };
    case 'domain':
      return { domainId: id };
  }
}

/** @param text undefined: it follows what is around it again */
export async function writeScopedSetting(
  executor: Executor,
  holder: SettingHolder,
  name: SettingName,
  text: string | undefined,
): Promise<void> {
  const { details, key } = tables[holder.scope];
  await sql`delete from ${sql.table(details)} where ${sql.ref(key)} = ${holder.id} and name = ${name}`.execute(
    executor,
  );
  if (text !== undefined)
    await sql`insert into ${sql.table(details)} (${sql.ref(key)}, name, value) values (${holder.id}, ${name}, ${text})`.execute(
      executor,
    );
}
