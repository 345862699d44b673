import { describeError, type Logger } from '@millrace/core';
import { sql } from 'kysely';
import type { AgentGateway } from '../agents/gateway.ts';
import { AgentCallError } from '../domain/failure-policy.ts';
import type { Database } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { deleteSpool, letGoOfRemoval, markForRemoval, type Removal } from '../store/template-removal.ts';
import { callHost } from './agent-call.ts';
import { loadPlace, templateFileName } from './records.ts';

export interface TemplateCopyDeps {
  readonly agents: AgentGateway;
  readonly database: Database;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** A template's copy on a pool, with what its removal has to know and to tell. */
export interface Copy {
  readonly rowId: number;
  readonly poolId: number;
  readonly poolName: string;
  readonly role: 'Primary' | 'Image';
  readonly templateId: number;
  readonly templateUuid: string;
  readonly imageUuid: string | null;
  readonly templateName: string;
  readonly format: string;
  readonly installPath: string | null;
}

/**
 * Removes the copies of templates that were deleted, altogether or from the pool's zone, and that nothing needs any
 * more, and finishes removals that were begun. What a host cannot do now is done the next time.
 */
export async function removeUnneededCopies(
  deps: TemplateCopyDeps,
  only: { readonly templateId?: number; readonly operation: string },
): Promise<void> {
  const rows = await copiesQuery(deps.database)
    .where((eb) =>
      eb.or([
        eb('vm_template.removed', 'is not', null),
        eb('template_spool_ref.marked_for_gc', '=', true),
        // hosts fetch it themselves from now on
        eb.and([eb('data_store.role', '=', 'Image'), eb('vm_template.direct_download', '=', true)]),
        sql<boolean>`not exists (select from template_zone_ref where template_zone_ref.template_id = vm_template.id
          and zone_id = data_store.data_center_id and template_zone_ref.removed is null)`,
      ]),
    )
    .$if(only.templateId !== undefined, (query) => query.where('template_id', '=', only.templateId!))
    .execute();
  await removeEach(deps, rows, {
    operation: only.operation,
    reason: 'its template was deleted, or needs it there no more',
  });
}

/** Copies as their removal takes them. */
export function copiesQuery(database: Database) {
  return database
    .selectFrom('template_spool_ref')
    .innerJoin('vm_template', 'vm_template.id', 'template_spool_ref.template_id')
    .innerJoin('data_store', 'data_store.id', 'template_spool_ref.pool_id')
    .select([
      'template_spool_ref.id as rowId',
      'template_spool_ref.pool_id as poolId',
      'data_store.name as poolName',
      'data_store.role',
      'template_spool_ref.template_id as templateId',
      'vm_template.uuid as templateUuid',
      'vm_template.image_uuid as imageUuid',
      'vm_template.name as templateName',
      'vm_template.format',
      'template_spool_ref.install_path as installPath',
    ]);
}

/** Removes those copies that can be removed now. A pool whose hosts fail is left alone until the next time. */
export async function removeEach(
  deps: TemplateCopyDeps,
  copies: readonly Copy[],
  removal: Removal,
): Promise<void> {
  const sick = new Set<number>();
  for (const copy of copies) {
    if (!sick.has(copy.poolId) && !(await tryToRemove(deps, copy, removal))) sick.add(copy.poolId);
  }
}

/** Removes a copy if that is possible now. @returns false when the host could not do it */
export async function tryToRemove(deps: TemplateCopyDeps, copy: Copy, removal: Removal): Promise<boolean> {
  try {
    await removeCopy(deps, copy, removal);
    return true;
  } catch (error) {
    if (deps.signal.aborted) throw error;
    deps.log.warn(
      { template: copy.templateUuid, pool: copy.poolName, error: describeError(error) },
      'a copy stays until its host can be asked',
    );
    return false;
  }
}

/**
 * Removes a copy that nothing needs: row marked, file removed, row removed, in this order, so that a copy is never
 * offered whose file is going.
 * @returns why it stays, in words that follow upon the copy; undefined: it is gone
 * @throws what the host answered; the copy stays marked, and housekeeping goes on with it
 */
export async function removeCopy(
  deps: TemplateCopyDeps,
  copy: Copy,
  removal: Removal & { readonly userId?: number; readonly accountId?: number; readonly jobUuid?: string },
): Promise<string | undefined> {
  const { database, agents, log, signal } = deps;
  const hostId = await connectedHostOf(deps, copy.poolId);
  if (hostId === undefined && copy.installPath !== null)
    throw new AgentCallError('AGENT_UNAVAILABLE', 'no host that reaches the pool is connected');
  const mark = await database.transaction().execute((trx) => markForRemoval(trx, copy, removal));
  if (!mark.marked) return mark.because;
  try {
    if (hostId !== undefined) {
      const place = await loadPlace(database, hostId, copy.poolId);
      // also without a path: a transfer that failed may have left something
      const installPath =
        copy.installPath ??
        templateFileName({ ...copy, uuid: copy.templateUuid, image_uuid: copy.imageUuid });
      await callHost(agents, {
        hostId,
        method: 'template.remove',
        params: { pool: place.pool, installPath },
        operationId: `${removal.operation}/remove-${copy.templateUuid}-${copy.poolId}-${copy.rowId}`,
        signal,
        reconnectMs: 5000,
      });
    }
  } catch (error) {
    if (!signal.aborted) await letGoOfRemoval(database, copy.rowId, removal.operation);
    throw error;
  }
  await database.transaction().execute(async (trx) => {
    await deleteSpool(trx, copy.rowId);
    const iso = copy.format.toUpperCase() === 'ISO';
    await recordEvent(trx, {
      type: iso ? 'ISO.COPY.REMOVE' : 'TEMPLATE.COPY.REMOVE',
      description: `The copy of ${iso ? 'ISO' : 'template'} ${copy.templateName} on ${copy.role === 'Image' ? 'image store' : 'storage pool'} ${copy.poolName} was removed: ${mark.reason}`,
      // without an account it is for operators: it names a pool
      userId: removal.userId,
      accountId: removal.accountId,
      jobUuid: removal.jobUuid,
      resourceType: iso ? 'Iso' : 'Template',
      resourceUuid: copy.templateUuid,
    });
  });
  log.info(
    { template: copy.templateUuid, pool: copy.poolName, reason: mark.reason },
    'a copy of a template was removed',
  );
  return undefined;
}

/** A host that reaches the pool and is there now. */
export async function connectedHostOf(
  deps: Pick<TemplateCopyDeps, 'database' | 'agents'>,
  poolId: number,
): Promise<number | undefined> {
  const rows = await deps.database
    .selectFrom('storage_pool_host_ref')
    .select('host_id')
    .where('pool_id', '=', poolId)
    .execute();
  return rows.map((row) => row.host_id).find((hostId) => deps.agents.isConnected(hostId));
}
