import { describeError, type Logger } from '@millrace/core';
import type { AgentGateway } from '../agents/gateway.ts';
import type { Database } from '../store/database.ts';
import { deleteSpool, markForRemoval } from '../store/template-spool.ts';
import { callHost } from './agent-call.ts';
import { loadPlace, templateFileName } from './records.ts';

export interface TemplateCopyDeps {
  readonly agents: AgentGateway;
  readonly database: Database;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/**
 * Removes the copies of deleted templates that nothing needs any more: row marked, file removed, row removed, in this
 * order, so that a copy is never offered whose file is going. What a host cannot do now is done the next time.
 */
export async function removeUnneededCopies(
  deps: TemplateCopyDeps,
  only: { readonly templateId?: number; readonly operation: string },
): Promise<void> {
  const { database, agents, log, signal } = deps;
  const copies = await database
    .selectFrom('template_spool_ref')
    .innerJoin('vm_template', 'vm_template.id', 'template_spool_ref.template_id')
    .where('vm_template.removed', 'is not', null)
    .$if(only.templateId !== undefined, (query) => query.where('template_id', '=', only.templateId!))
    .select(['pool_id', 'template_id', 'vm_template.uuid', 'vm_template.format'])
    .execute();
  for (const copy of copies) {
    const key = { poolId: copy.pool_id, templateId: copy.template_id };
    try {
      if (!(await database.transaction().execute((trx) => markForRemoval(trx, key)))) continue;
      const hostId = await connectedHostOf(deps, copy.pool_id);
      if (hostId === undefined) continue;
      const place = await loadPlace(database, hostId, copy.pool_id);
      await callHost(agents, {
        hostId,
        method: 'template.remove',
        // also where no copy ever came to be: what a transfer left that failed is kept under the same name
        params: { pool: place.pool, installPath: templateFileName(copy) },
        operationId: `${only.operation}/remove-${copy.uuid}-${copy.pool_id}`,
        signal,
        reconnectMs: 5000,
      });
      await deleteSpool(database, key);
      log.info({ template: copy.uuid, pool: copy.pool_id }, 'a copy of a deleted template was removed');
    } catch (error) {
      if (signal.aborted) throw error;
      log.warn(
        { template: copy.uuid, error: describeError(error) },
        'a copy stays until its host can be asked',
      );
    }
  }
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
