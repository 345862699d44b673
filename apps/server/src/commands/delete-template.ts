import { ApiError, entityNotFound, invalidParameter, specs } from '@millrace/api';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { countUsersOfTemplate, lockTemplate, zoneIdsOf } from '../store/templates.ts';
import { pendingJobOf } from '../store/virtual-machines.ts';
import { findZone } from '../store/zone-list.ts';
import { type Caller, type CommandDependencies, implement } from './command.ts';
import { reachOf } from './scope.ts';

export const deleteTemplate = implement(specs.deleteTemplate, async (context) => {
  const { id, forced = false, zoneid } = context.params;
  return {
    jobId: await requestRemoval(context, { command: 'deleteTemplate', uuid: id, forced, zone: zoneid }),
  };
});

const words = {
  deleteTemplate: {
    kind: 'template',
    word: 'template',
    event: 'TEMPLATE.DELETE',
    resource: 'Template',
    inUse: (users: number) =>
      `is used by ${users} instance(s); expunge them first, or delete it with forced=true`,
  },
  deleteIso: {
    kind: 'iso',
    word: 'ISO',
    event: 'ISO.DELETE',
    resource: 'Iso',
    inUse: (users: number) => `is in the drive of ${users} instance(s); detach it first`,
  },
} as const;

/**
 * Starts the job that removes a template or an ISO, from one zone or altogether.
 * @returns the job's UUID
 * @throws ApiError 431 when there is none or instances use it, 536 when a job on it is pending
 */
export async function requestRemoval(
  { database, jobs, caller }: CommandDependencies & { readonly caller: Caller },
  request: {
    readonly command: keyof typeof words;
    readonly uuid: string;
    readonly forced: boolean;
    /** All zones when absent or -1. */
    readonly zone: string | undefined;
  },
): Promise<string> {
  const { kind, word, event, resource, inUse } = words[request.command];
  return database.transaction().execute(async (trx) => {
    const template = await lockTemplate(trx, request.uuid, reachOf(caller), kind);
    if (!template) throw entityNotFound('id', request.uuid);
    const job = await pendingJobOf(trx, template.uuid);
    if (job) {
      throw new ApiError(
        'RESOURCE_IN_USE_ERROR',
        `${word} ${template.name} is busy: ${job.job_cmd} is running as job ${job.uuid}`,
      );
    }
    const zone = await zoneToLeave(trx, template, request.zone);
    const users = request.forced ? 0 : await countUsersOfTemplate(trx, template.id, kind, zone?.id);
    if (users > 0) throw new ApiError('PARAM_ERROR', `${word} ${template.name} ${inUse(users)}`);
    const id = await jobs.enqueue(trx, {
      command: request.command,
      parameters: { templateId: template.id, forced: request.forced, ...(zone && { zoneId: zone.id }) },
      userId: caller.userId,
      accountId: template.account_id,
      instanceType: resource,
      instanceUuid: template.uuid,
    });
    await recordEvent(trx, {
      type: event,
      state: 'Scheduled',
      description: `deleting ${word} ${template.name}${zone ? ` from zone ${zone.name}` : ''}`,
      userId: caller.userId,
      accountId: template.account_id,
      resourceType: resource,
      resourceUuid: template.uuid,
      jobUuid: id,
    });
    return id;
  });
}

/** The zone that the image leaves; `undefined`: it goes altogether, as it does with its last zone. */
async function zoneToLeave(
  executor: Executor,
  template: { readonly id: number; readonly name: string },
  uuid: string | undefined,
): Promise<{ readonly id: number; readonly name: string } | undefined> {
  if (uuid === undefined || uuid === '-1') return undefined;
  const zone = await findZone(executor, uuid);
  if (!zone) throw entityNotFound('zoneid', uuid);
  const present = await zoneIdsOf(executor, template.id);
  if (!present.includes(zone.id))
    throw invalidParameter('zoneid', `${template.name} is not in zone ${zone.name}`);
  return present.length > 1 ? zone : undefined;
}
