import { ApiError } from '@millrace/api';
import { loadVirtualMachine } from '../commands/responses/virtual-machine.ts';
import { AgentCallError } from '../domain/failure-policy.ts';
import { messageForUsers } from '../domain/host-failures.ts';
import type { JobContext } from '../jobs/job-context.ts';
import type { Executor } from '../store/database.ts';
import { type EventType, recordEvent } from '../store/events.ts';
import type { Row } from '../store/schema.ts';
import { readSetting } from '../store/settings.ts';
import { callHost } from './agent-call.ts';
import type { WorkflowDeps } from './host-steps.ts';
import { loadVm } from './records.ts';

/** The answer of every job that ends with an instance. */
export async function vmAnswer(context: JobContext, vmId: number): Promise<object> {
  return { virtualmachine: await context.read((database) => loadVirtualMachine(database, vmId)) };
}

/**
 * The answer of a job that may have given the instance a new password: it is told here, to whoever asked. Once the guest
 * has it (the instance runs) it is forgotten. A server that dies between the two answers without it, and the instance
 * has to be given another.
 */
export async function vmAnswerWithPassword(context: JobContext, vmId: number): Promise<object> {
  const entity = await context.read((database) => loadVirtualMachine(database, vmId));
  const { vm } = await context.read((database) => loadVm(database, vmId));
  if (vm.new_password === null) return { virtualmachine: entity };
  if (vm.state === 'Running')
    await context.write(async (trx) => {
      await trx.updateTable('vm_instance').set({ new_password: null }).where('id', '=', vmId).execute();
    });
  return { virtualmachine: { ...entity, password: vm.new_password } };
}

export interface VmEventOptions {
  readonly type: EventType;
  readonly state: 'Started' | 'Completed';
  readonly level?: 'INFO' | 'WARN' | 'ERROR';
  readonly description: string;
}

/** Records an event of a job once, however often the step that tells it is repeated. */
export async function recordVmEvent(
  executor: Executor,
  context: JobContext,
  vm: Pick<Row<'vm_instance'>, 'uuid' | 'account_id'>,
  event: VmEventOptions,
): Promise<void> {
  const known = await executor
    .selectFrom('event')
    .select('id')
    .where('job_uuid', '=', context.job.uuid)
    .where('type', '=', event.type)
    .where('state', '=', event.state)
    .executeTakeFirst();
  if (known) return;
  await recordEvent(executor, {
    ...event,
    userId: context.job.userId,
    accountId: vm.account_id,
    resourceType: 'VirtualMachine',
    resourceUuid: vm.uuid,
    jobUuid: context.job.uuid,
  });
}

export async function reconnectBoundMs(context: JobContext): Promise<number> {
  return (await context.read((database) => readSetting(database, 'agent.reconnect.timeout'))) * 1000;
}

/** Turns a host's failure into the answer of a job that has no other host to go to. */
export function hostFailure(doing: string, error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (!(error instanceof AgentCallError)) throw error;
  const away = error.code === 'AGENT_UNAVAILABLE' || error.code === 'AGENT_TIMEOUT';
  return new ApiError(
    away ? 'RESOURCE_UNAVAILABLE_ERROR' : 'INTERNAL_ERROR',
    `${doing} failed: ${error.message}`,
    { cause: error, userText: `${doing} failed: ${messageForUsers(error.code, error.message)}` },
  );
}

/**
 * Takes an instance's domain off the host it may be on. A host that stays away is passed over: when it is back, it
 * reports the domain, which is then found to be a stray and removed.
 */
export async function removeDomain(
  deps: WorkflowDeps,
  context: JobContext,
  vm: Row<'vm_instance'>,
): Promise<void> {
  const hostId = vm.host_id ?? vm.last_host_id;
  if (hostId === null) return;
  try {
    await callHost(deps.agents, {
      hostId,
      method: 'vm.remove',
      params: { vm: { uuid: vm.uuid, instanceName: vm.instance_name } },
      operationId: `${context.job.uuid}/remove-domain`,
      signal: context.signal,
      // where nothing is believed to run, nothing is worth waiting for
      reconnectMs: vm.host_id === null ? 2000 : await reconnectBoundMs(context),
    });
  } catch (error) {
    if (!(error instanceof AgentCallError) || error.code !== 'AGENT_UNAVAILABLE') throw error;
    context.log.warn(
      { vm: vm.uuid, host: hostId },
      'the host is away; its domain is removed when it is back',
    );
  }
}
