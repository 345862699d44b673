import { ApiError } from '@millrace/api';
import { AgentCallError } from '../domain/failure-policy.ts';
import type { JobContext } from '../jobs/job-context.ts';
import type { JobDefinition } from '../jobs/job-runner.ts';
import { recordFileDigest, storedCopyOn } from '../store/stored-copies.ts';
import { userOfCopy } from '../store/template-removal.ts';
import { forgetVanished, readSpool } from '../store/template-spool.ts';
import { callHost } from './agent-call.ts';
import type { WorkflowDeps } from './host-steps.ts';
import { type DamagedCopy, recordDamage } from './record-damage.ts';
import { loadPlace } from './records.ts';
import { connectedHostOf, copiesQuery, removeCopy } from './template-copies.ts';
import { hostFailure, reconnectBoundMs } from './vm-job.ts';

/**
 * Has a host read the copy of a template on a pool or an image store, whole, and compares it with what it was. One that is not
 * what it was goes, so that it is fetched again, unless disks stand on it: then an operator has to decide.
 */
export function verifyTemplate(deps: WorkflowDeps): JobDefinition<'verifyTemplate'> {
  return {
    async run(context) {
      const key = context.parameters;
      context.progress.report({ phase: 'verifying', percent: 10 });
      const copy = await context.read((database) => storedCopyOn(database, key));
      const row = await context.read((database) =>
        copiesQuery(database)
          .where('template_id', '=', key.templateId)
          .where('pool_id', '=', key.poolId)
          .executeTakeFirst(),
      );
      if (!copy || !row) throw new ApiError('PARAM_ERROR', 'there is no whole copy of the template any more');
      const found = await readCopy(deps, context, copy);
      if (found !== undefined && (copy.fileDigest === null || copy.fileDigest === found)) {
        await context.write((trx) => recordFileDigest(trx, copy, found));
        const known = copy.fileDigest !== null;
        return {
          success: true,
          displaytext: known
            ? `it is what it was: ${found}`
            : `${found}: nothing was known of the file to compare it with; from now on it is`,
        };
      }
      const damaged = {
        ...row,
        placeName: row.poolName,
        kind: found === undefined ? 'gone' : 'damaged',
      } as const;
      throw new ApiError('INTERNAL_ERROR', await giveUpCopy(deps, context, damaged));
    },
  };
}

/** @returns `{ALG}hex` of the file; undefined when there is none */
async function readCopy(
  deps: WorkflowDeps,
  context: JobContext<'verifyTemplate'>,
  copy: { readonly poolId: number; readonly installPath: string; readonly generation: number },
): Promise<string | undefined> {
  const { agents } = deps;
  const hostId = await context.read((database) => connectedHostOf({ database, agents }, copy.poolId));
  if (hostId === undefined)
    throw new ApiError('RESOURCE_UNAVAILABLE_ERROR', 'no host that reaches the copy is connected');
  const { pool } = await context.read((database) => loadPlace(database, hostId, copy.poolId));
  try {
    const { checksum } = await callHost(agents, {
      hostId,
      method: 'template.digest',
      params: { pool, installPath: copy.installPath },
      operationId: `${context.job.uuid}/digest-${copy.generation}`,
      signal: context.signal,
      reconnectMs: await reconnectBoundMs(context),
    });
    return checksum;
  } catch (error) {
    if (error instanceof AgentCallError && error.code === 'TEMPLATE_MISSING') return undefined;
    throw context.signal.aborted ? error : hostFailure('reading the copy', error);
  }
}

/** @returns what happened, in words */
async function giveUpCopy(
  deps: WorkflowDeps,
  context: JobContext<'verifyTemplate'>,
  damaged: Parameters<typeof removeCopy>[1] & DamagedCopy,
): Promise<string> {
  const key = context.parameters;
  const user = await context.read((database) => userOfCopy(database, key));
  if (damaged.kind === 'gone') {
    return context.write(async (trx) => {
      const row = await readSpool(trx, key);
      if (row) await forgetVanished(trx, row);
      return recordDamage(trx, damaged, 'it is fetched again when it is needed');
    });
  }
  if (user === undefined) {
    const said = await context.write((trx) => recordDamage(trx, damaged, 'it is removed, and fetched again'));
    await context.read((database) =>
      removeCopy({ agents: deps.agents, database, log: context.log, signal: context.signal }, damaged, {
        operation: context.job.uuid,
        reason: 'it was damaged',
      }),
    );
    return said;
  }
  return context.write((trx) =>
    recordDamage(
      trx,
      damaged,
      `it ${user}, so it stays: reinstall what stands on it elsewhere, then evict it`,
    ),
  );
}
