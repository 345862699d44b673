import { ApiError, entityNotFound, invalidParameter, specs } from '@millrace/api';
import type { Executor } from '../store/database.ts';
import { usableAnywhere } from '../store/templates.ts';
import { findZone } from '../store/zone-list.ts';
import { type Caller, type CommandDependencies, implement } from './command.ts';
import { reachOf } from './scope.ts';

export const extractTemplate = implement(specs.extractTemplate, async (context) => ({
  jobId: await requestExtraction(context, 'extractTemplate', context.params),
}));

export const extractIso = implement(specs.extractIso, async (context) => ({
  jobId: await requestExtraction(context, 'extractIso', context.params),
}));

/** @returns the job's UUID @throws ApiError 431, 531 when the owner does not let users download it */
async function requestExtraction(
  { database, jobs, caller }: CommandDependencies & { readonly caller: Caller },
  command: 'extractTemplate' | 'extractIso',
  { id, mode, zoneid }: { readonly id: string; readonly mode: string; readonly zoneid?: string | undefined },
): Promise<string> {
  if (mode.toUpperCase() !== 'HTTP_DOWNLOAD') throw invalidParameter('mode', 'must be HTTP_DOWNLOAD');
  const isIso = command === 'extractIso';
  return database.transaction().execute(async (trx) => {
    const template = await usableAnywhere(trx, id, reachOf(caller), isIso ? 'iso' : 'template');
    if (!template) throw entityNotFound('id', id);
    if (!template.extractable && caller.role !== 'admin') {
      throw new ApiError(
        'ACCOUNT_ERROR',
        `${isIso ? 'ISO' : 'template'} ${template.name} may not be downloaded by users: its isextractable is false`,
      );
    }
    const zoneId = zoneid === undefined ? undefined : await zoneIdOf(trx, zoneid);
    return jobs.enqueue(trx, {
      command,
      parameters: { templateId: template.id, ...(zoneId === undefined ? {} : { zoneId }) },
      userId: caller.userId,
      accountId: caller.accountId,
      instanceType: isIso ? 'Iso' : 'Template',
      instanceUuid: template.uuid,
    });
  });
}

async function zoneIdOf(executor: Executor, uuid: string): Promise<number> {
  const zone = await findZone(executor, uuid);
  if (!zone) throw entityNotFound('zoneid', uuid);
  return zone.id;
}
