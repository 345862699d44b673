import { type RawBuilder, sql } from 'kysely';
import type { Executor } from './database.ts';
import { containing, type OwnerScope, ownedBy } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';

/** What can have tags, in CloudStack's words, and the rows it is in. */
const tables = {
  UserVm: { table: 'vm_instance', only: sql<boolean>`true` },
  Template: { table: 'vm_template', only: sql<boolean>`format <> 'ISO'` },
  ISO: { table: 'vm_template', only: sql<boolean>`format = 'ISO'` },
  Volume: { table: 'volumes', only: sql<boolean>`true` },
  // those that belong to a domain or to everybody have no account that could own tags
  Network: { table: 'networks', only: sql<boolean>`acl_type = 'Account'` },
} as const;

export type TaggableType = keyof typeof tables;
export const taggableTypes = Object.keys(tables) as readonly TaggableType[];

/** The condition that a row has all of these tags. @param uuid the column of its uuid */
export function taggedWith(uuid: string, tags: Readonly<Record<string, string>>): RawBuilder<boolean> {
  const each = Object.entries(tags).map(
    ([key, value]) => sql<boolean>`exists (select from resource_tags
      where resource_uuid = ${sql.ref(uuid)} and key = ${key} and value = ${value})`,
  );
  return each.length === 0 ? sql<boolean>`true` : sql<boolean>`(${sql.join(each, sql` and `)})`;
}

/** Resources of one type within reach, kept from going away until the transaction ends. */
export async function holdResources(
  executor: Executor,
  type: TaggableType,
  uuids: readonly string[],
  scope: OwnerScope,
): Promise<{ readonly uuid: string; readonly account_id: number }[]> {
  const { table, only } = tables[type];
  const { rows } = await sql<{ uuid: string; account_id: number }>`
    select resource.uuid, resource.account_id from ${sql.table(table)} as resource
      join account on account.id = resource.account_id
      join domain on domain.id = account.domain_id
    where resource.uuid = any(${uuids}::uuid[]) and resource.removed is null and ${only} and ${ownedBy(scope)}
    order by resource.id for share of resource
  `.execute(executor);
  return rows;
}

export interface NewTags {
  readonly type: TaggableType;
  readonly resources: readonly { readonly uuid: string; readonly account_id: number }[];
  readonly tags: Readonly<Record<string, string>>;
}

/** @returns the resources that have one of the keys already: then nothing was inserted of those keys */
export async function insertTags(executor: Executor, { type, resources, tags }: NewTags): Promise<string[]> {
  const rows = resources.flatMap(({ uuid, account_id }) =>
    Object.entries(tags).map(([key, value]) => ({
      key,
      value,
      resource_type: type,
      resource_uuid: uuid,
      account_id,
    })),
  );
  const inserted = await executor
    .insertInto('resource_tags')
    .values(rows)
    .onConflict((conflict) => conflict.doNothing())
    .returning(['resource_uuid', 'key'])
    .execute();
  const done = new Set(inserted.map(({ resource_uuid, key }) => `${resource_uuid} ${key}`));
  return rows.flatMap(({ resource_uuid, key }) =>
    done.has(`${resource_uuid} ${key}`) ? [] : `${key} of ${resource_uuid}`,
  );
}

/** Gives a new resource the tags of another one. */
export async function copyTags(
  executor: Executor,
  from: string,
  to: { readonly type: TaggableType; readonly uuid: string; readonly accountId: number },
): Promise<void> {
  await sql`
    insert into resource_tags (key, value, resource_type, resource_uuid, account_id)
    select key, value, ${to.type}, ${to.uuid}::uuid, ${to.accountId}
    from resource_tags where resource_uuid = ${from}::uuid order by id
  `.execute(executor);
}

/** @param tags by key, an empty value meaning any; all tags when absent. @returns how many were there */
export async function deleteTagsOf(
  executor: Executor,
  uuids: readonly string[],
  tags: Readonly<Record<string, string>> | undefined,
): Promise<number> {
  let query = executor
    .deleteFrom('resource_tags')
    .where('resource_uuid', '=', sql<string>`any(${uuids}::uuid[])`);
  if (tags !== undefined)
    query = query.where((where) =>
      where.or(
        Object.entries(tags).map(([key, value]) =>
          value === '' ? where('key', '=', key) : where.and({ key, value }),
        ),
      ),
    );
  const { numDeletedRows } = await query.executeTakeFirst();
  return Number(numDeletedRows);
}

export interface TagFilter {
  readonly scope: OwnerScope;
  readonly key?: string | undefined;
  readonly value?: string | undefined;
  readonly keyword?: string | undefined;
  readonly resourceUuid?: string | undefined;
  readonly type?: TaggableType | undefined;
}

export async function listTagRows(executor: Executor, filter: TagFilter, page: Page) {
  const { key, value, keyword, resourceUuid, type } = filter;
  let query = tagsQuery(executor).where(ownedBy(filter.scope)).where(isThere);
  if (key !== undefined) query = query.where('key', '=', key);
  if (value !== undefined) query = query.where('value', '=', value);
  if (keyword !== undefined) {
    const pattern = containing(keyword);
    query = query.where((where) =>
      where.or([where('key', 'ilike', pattern), where('value', 'ilike', pattern)]),
    );
  }
  if (resourceUuid !== undefined) query = query.where('resource_uuid', '=', resourceUuid);
  if (type !== undefined) query = query.where('resource_type', '=', type);
  return pageOf(query.select(columns).orderBy('resource_tags.id'), page);
}

/** Tags of what is gone stay with it, for whoever looks at its row. */
const isThere = sql<boolean>`(
  exists (select from vm_instance where uuid = resource_uuid and vm_instance.removed is null)
  or exists (select from volumes where uuid = resource_uuid and volumes.removed is null)
  or exists (select from networks where uuid = resource_uuid and networks.removed is null)
  or exists (select from vm_template where uuid = resource_uuid and vm_template.removed is null))`;

const columns = [
  'key',
  'value',
  'resource_type',
  'resource_uuid',
  'account.account_name',
  'domain.uuid as domain_uuid',
  'domain.name as domain_name',
] as const;

function tagsQuery(executor: Executor) {
  return executor
    .selectFrom('resource_tags')
    .innerJoin('account', 'account.id', 'resource_tags.account_id')
    .innerJoin('domain', 'domain.id', 'account.domain_id');
}

export type TagRow = Awaited<ReturnType<typeof listTagRows>>['rows'][number];

export async function tagsOf(
  executor: Executor,
  uuids: readonly string[],
): Promise<ReadonlyMap<string, readonly TagRow[]>> {
  const rows = await tagsQuery(executor)
    .where('resource_uuid', '=', sql<string>`any(${uuids}::uuid[])`)
    .select(columns)
    .orderBy('resource_tags.id')
    .execute();
  return Map.groupBy(rows, (row) => row.resource_uuid);
}
