import { invalidParameter } from '@millrace/api';
import type { Executor } from '../store/database.ts';
import { storeToWriteTo } from '../store/image-stores.ts';
import type { JobQueue } from './queue.ts';

/** What is brought to image stores, and in whose name. */
export interface StoreDownload {
  readonly templateId: number;
  readonly uuid: string;
  readonly format: string;
  readonly zoneIds: readonly number[];
  readonly userId: number;
  readonly accountId: number;
}

/**
 * Begins to bring an image to an image store of each zone. Must run in the transaction that makes it one that hosts do not
 * download themselves.
 * @throws ApiError 431 when a zone has no image store that can be written to
 */
export async function beginStoreDownload(
  trx: Executor,
  jobs: JobQueue,
  download: StoreDownload,
): Promise<void> {
  const poolIds: number[] = [];
  for (const zoneId of download.zoneIds) {
    const store = await storeToWriteTo(trx, zoneId);
    if (!store) throw await noStoreIn(trx, zoneId);
    poolIds.push(store.id);
  }
  if (poolIds.length === 0) return;
  await jobs.enqueue(trx, {
    command: 'prepareTemplate',
    parameters: { templateId: download.templateId, poolIds },
    userId: download.userId,
    accountId: download.accountId,
    instanceType: download.format.toUpperCase() === 'ISO' ? 'Iso' : 'Template',
    instanceUuid: download.uuid,
  });
}

async function noStoreIn(executor: Executor, zoneId: number) {
  const { name } = await executor
    .selectFrom('data_center')
    .select('name')
    .where('id', '=', zoneId)
    .executeTakeFirstOrThrow();
  return invalidParameter(
    'directdownload',
    `must be true: zone ${name} has no image store that can be written to, so hosts have to download images themselves; addImageStore adds one`,
  );
}

/** @throws ApiError 431 when a zone has no image store that can be written to */
export async function demandStores(executor: Executor, zoneIds: readonly number[]): Promise<void> {
  for (const zoneId of zoneIds)
    if (!(await storeToWriteTo(executor, zoneId))) throw await noStoreIn(executor, zoneId);
}

/** Whether every one of these zones has an image store that can be written to. */
export async function haveStores(executor: Executor, zoneIds: readonly number[]): Promise<boolean> {
  for (const zoneId of zoneIds) if (!(await storeToWriteTo(executor, zoneId))) return false;
  return true;
}
