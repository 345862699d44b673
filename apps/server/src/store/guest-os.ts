import { sql } from 'kysely';
import type { Executor } from './database.ts';
import { containing } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';

export interface OsTypeFilter {
  readonly uuids?: readonly string[] | undefined;
  readonly description?: string | undefined;
  readonly keyword?: string | undefined;
  readonly categoryUuid?: string | undefined;
}

export async function listOsTypeRows(executor: Executor, filter: OsTypeFilter, page: Page) {
  let query = executor
    .selectFrom('guest_os')
    .innerJoin('guest_os_category', 'guest_os_category.id', 'guest_os.category_id');
  const { uuids, description, keyword, categoryUuid } = filter;
  if (uuids) query = query.where('guest_os.uuid', '=', sql<string>`any(${uuids}::uuid[])`);
  if (description !== undefined) query = query.where('guest_os.display_name', '=', description);
  if (keyword !== undefined) query = query.where('guest_os.display_name', 'ilike', containing(keyword));
  if (categoryUuid !== undefined) query = query.where('guest_os_category.uuid', '=', categoryUuid);
  const selected = query
    .select([
      'guest_os.id',
      'guest_os.uuid',
      'guest_os.display_name',
      'guest_os_category.uuid as category_uuid',
      'guest_os_category.name as category_name',
    ])
    .orderBy('guest_os.display_name');
  return pageOf(selected, page);
}

/** What a template is when nobody says. */
export const defaultOsType = 'Other Linux (64-bit)';

export async function findOsType(executor: Executor, uuid: string | undefined) {
  const query = executor.selectFrom('guest_os').selectAll();
  return (
    uuid === undefined ? query.where('display_name', '=', defaultOsType) : query.where('uuid', '=', uuid)
  ).executeTakeFirst();
}

export async function listOsCategoryRows(
  executor: Executor,
  filter: {
    readonly uuid?: string | undefined;
    readonly name?: string | undefined;
    readonly keyword?: string | undefined;
  },
  page: Page,
) {
  let query = executor.selectFrom('guest_os_category');
  if (filter.uuid !== undefined) query = query.where('uuid', '=', filter.uuid);
  if (filter.name !== undefined) query = query.where('name', '=', filter.name);
  if (filter.keyword !== undefined) query = query.where('name', 'ilike', containing(filter.keyword));
  return pageOf(query.select(['uuid', 'name']).orderBy('name'), page);
}
