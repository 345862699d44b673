import { randomUUID } from 'node:crypto';
import { describeError } from '@millrace/core';
import { attachPool } from '../agents/attach-pool.ts';
import type { JobQueue } from '../jobs/queue.ts';
import { beginStoreDownload } from '../jobs/store-downloads.ts';
import {
  copyToCheck,
  missingStoreLinks,
  storeToWriteTo,
  templatesWithoutStore,
} from '../store/image-stores.ts';
import { readSetting } from '../store/settings.ts';
import { forgetVanished } from '../store/template-spool.ts';
import { callHost } from './agent-call.ts';
import { recordDamage } from './record-damage.ts';
import { loadPlace } from './records.ts';
import { connectedHostOf, type TemplateCopyDeps } from './template-copies.ts';

/** Brings image stores to machines that could look after them and do not yet. */
export async function attachMissingStores(deps: TemplateCopyDeps): Promise<void> {
  for (const { host_id, host_name, ...store } of await missingStoreLinks(deps.database)) {
    if (!deps.agents.isConnected(host_id)) continue;
    try {
      await attachPool(deps, store, { id: host_id, first: false });
      deps.log.info({ host: host_name, store: store.name }, 'the machine looks after the image store');
    } catch (error) {
      if (deps.signal.aborted) throw error;
      deps.log.debug(
        { host: host_name, store: store.name, reason: describeError(error) },
        'the machine does not reach the image store',
      );
    }
  }
}

/**
 * Begins to bring images to the stores where they belong and are not: because a store was lost, or a copy vanished or was
 * damaged. Where they come from, the transfer decides: from another copy, if there is one.
 */
export async function bringMissingToStores(
  deps: TemplateCopyDeps & { readonly jobs: JobQueue },
): Promise<number> {
  let count = 0;
  for (const row of await templatesWithoutStore(deps.database)) {
    await deps.database.transaction().execute(async (trx) => {
      if (!(await storeToWriteTo(trx, row.zone_id))) return;
      await beginStoreDownload(trx, deps.jobs, {
        templateId: row.template_id,
        uuid: row.uuid,
        format: row.format,
        zoneIds: [row.zone_id],
        userId: row.user_id,
        accountId: row.account_id,
      });
      count++;
    });
  }
  return count;
}

/**
 * Reads one copy on an image store back, the one that was looked at longest ago. What is not what it was is told of, and
 * goes, so that it is brought there again.
 * @returns what was found; undefined: nothing was due, or nobody could look
 */
export async function checkOneStoredCopy(
  deps: TemplateCopyDeps,
): Promise<'whole' | 'damaged' | 'gone' | undefined> {
  const { database, agents, signal, log } = deps;
  const hours = await readSetting(database, 'image.store.check.interval');
  if (hours === 0) return undefined;
  const copy = await copyToCheck(database, hours);
  if (!copy?.install_path) return undefined;
  const hostId = await connectedHostOf(deps, copy.pool_id);
  if (hostId === undefined) return undefined;
  const { pool } = await loadPlace(database, hostId, copy.pool_id);
  const call = { hostId, signal, reconnectMs: 0 } as const;
  const params = { pool, installPath: copy.install_path };
  try {
    const found = await callHost(agents, {
      ...call,
      method: 'template.digest',
      params,
      operationId: `check-${randomUUID()}`,
    });
    if (found.checksum === copy.file_digest) {
      await database
        .updateTable('template_spool_ref')
        .set({ checked: new Date() })
        .where('id', '=', copy.id)
        .where('generation', '=', copy.generation)
        .execute();
      return 'whole';
    }
    await callHost(agents, {
      ...call,
      method: 'template.remove',
      params,
      operationId: `damaged-${randomUUID()}`,
    });
  } catch (error) {
    if (signal.aborted) throw error;
    const isGone = error instanceof Error && 'code' in error && error.code === 'TEMPLATE_MISSING';
    if (!isGone) {
      log.warn({ store: copy.store_name, reason: describeError(error) }, 'a stored image cannot be checked');
      return undefined;
    }
    await tellOfDamage(deps, copy, 'gone');
    return 'gone';
  }
  await tellOfDamage(deps, copy, 'damaged');
  return 'damaged';
}

async function tellOfDamage(
  { database, log }: TemplateCopyDeps,
  copy: NonNullable<Awaited<ReturnType<typeof copyToCheck>>>,
  kind: 'damaged' | 'gone',
): Promise<void> {
  const said = await database.transaction().execute(async (trx) => {
    await forgetVanished(trx, copy);
    const { template_uuid: templateUuid, template_name: templateName, format, store_name: placeName } = copy;
    return recordDamage(
      trx,
      { templateUuid, templateName, format, role: 'Image', placeName, kind },
      'it is brought there again; see to the disks of that store',
    );
  });
  log.error({ template: copy.template_uuid, store: copy.store_name }, said);
}
