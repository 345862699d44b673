import type { Executor } from './database.ts';
import { containing } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';

export interface DiskOfferingFilter {
  readonly uuid?: string | undefined;
  readonly name?: string | undefined;
  readonly keyword?: string | undefined;
}

export async function listDiskOfferingRows(executor: Executor, filter: DiskOfferingFilter, page: Page) {
  let query = executor.selectFrom('disk_offering').where('removed', 'is', null);
  if (filter.uuid !== undefined) query = query.where('uuid', '=', filter.uuid);
  if (filter.name !== undefined) query = query.where('name', '=', filter.name);
  if (filter.keyword !== undefined) query = query.where('name', 'ilike', containing(filter.keyword));
  return pageOf(query.selectAll().orderBy('sort_key').orderBy('id'), page);
}

export async function findDiskOffering(executor: Executor, uuid: string) {
  return executor
    .selectFrom('disk_offering')
    .selectAll()
    .where('uuid', '=', uuid)
    .where('removed', 'is', null)
    .executeTakeFirst();
}
