import type { Executor } from './database.ts';
import { containing } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';

export interface OfferingFilter {
  readonly uuid?: string | undefined;
  readonly name?: string | undefined;
  readonly keyword?: string | undefined;
  readonly cpus?: number | undefined;
  readonly cpuMhz?: number | undefined;
  readonly memoryMiB?: number | undefined;
  readonly storageType?: string | undefined;
}

export async function listOfferingRows(executor: Executor, filter: OfferingFilter, page: Page) {
  let query = executor.selectFrom('service_offering').where('removed', 'is', null);
  if (filter.uuid !== undefined) query = query.where('uuid', '=', filter.uuid);
  if (filter.name !== undefined) query = query.where('name', '=', filter.name);
  if (filter.keyword !== undefined) query = query.where('name', 'ilike', containing(filter.keyword));
  if (filter.cpus !== undefined) query = query.where('cpu', '=', filter.cpus);
  if (filter.cpuMhz !== undefined) query = query.where('speed', '=', filter.cpuMhz);
  if (filter.memoryMiB !== undefined) query = query.where('ram_size', '=', filter.memoryMiB);
  if (filter.storageType !== undefined) query = query.where('storage_type', '=', filter.storageType);
  return pageOf(query.selectAll().orderBy('id'), page);
}

export async function findOffering(executor: Executor, uuid: string) {
  return executor
    .selectFrom('service_offering')
    .selectAll()
    .where('uuid', '=', uuid)
    .where('removed', 'is', null)
    .executeTakeFirst();
}

/** The offering of an instance, also when it has been deleted meanwhile. */
export async function offeringOf(executor: Executor, offeringId: number) {
  return executor
    .selectFrom('service_offering')
    .selectAll()
    .where('id', '=', offeringId)
    .executeTakeFirstOrThrow();
}
