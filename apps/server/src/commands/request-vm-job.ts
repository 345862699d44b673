import { ApiError, entityNotFound } from '@millrace/api';
import {
  canRequest,
  requestableStates,
  type VmCommand,
  vmStateOf,
} from '../domain/virtual-machine-states.ts';
import type { JobCommand, JobParameters } from '../jobs/queue.ts';
import type { Executor } from '../store/database.ts';
import { type EventType, recordEvent } from '../store/events.ts';
import type { Row } from '../store/schema.ts';
import { lockVirtualMachine, pendingJobOf } from '../store/virtual-machines.ts';
import type { Caller, CommandDependencies } from './command.ts';
import { reachOf } from './scope.ts';

export interface VmJobRequest<C extends VmCommand & JobCommand> {
  readonly command: C;
  /** The name of the parameter that holds the instance's id. */
  readonly idParam?: string;
  readonly vmUuid: string;
  readonly caller: Caller;
  readonly eventType: EventType;
  /** Said in the event: `stopping instance`. */
  readonly doing: string;
  /** Looks at the locked row, checks what else must hold, and answers with the job's parameters. */
  readonly prepare: (
    vm: Row<'vm_instance'>,
    executor: Executor,
  ) => Promise<JobParameters[C]> | JobParameters[C];
}

/**
 * Starts a job on an instance, unless its state or another job is in the way. The row is locked while we look, so two
 * requests at once cannot both find it free.
 * @returns the job's UUID
 * @throws ApiError 431 when there is no such instance or its state forbids it, 536 when a job on it is pending
 */
export async function requestVmJob<C extends VmCommand & JobCommand>(
  { database, jobs }: CommandDependencies,
  request: VmJobRequest<C>,
): Promise<string> {
  const { caller } = request;
  return database.transaction().execute(async (trx) => {
    const vm = await lockIdleVm(trx, caller, request.vmUuid, request.idParam ?? 'id');
    demandState(request.command, vm);
    const parameters = await request.prepare(vm, trx);
    const jobId = await jobs.enqueue(trx, {
      command: request.command,
      parameters,
      userId: caller.userId,
      accountId: vm.account_id,
      instanceType: 'VirtualMachine',
      instanceUuid: vm.uuid,
    });
    await recordEvent(trx, {
      type: request.eventType,
      state: 'Scheduled',
      description: `${request.doing} ${vm.name}`,
      userId: caller.userId,
      accountId: vm.account_id,
      resourceType: 'VirtualMachine',
      resourceUuid: vm.uuid,
      jobUuid: jobId,
    });
    return jobId;
  });
}

/** Locks an instance within the caller's reach on which no job is pending. */
export async function lockIdleVm(
  executor: Executor,
  caller: Caller,
  uuid: string,
  idParam: string,
): Promise<Row<'vm_instance'>> {
  const vm = await lockVirtualMachine(executor, uuid, reachOf(caller));
  if (!vm) throw entityNotFound(idParam, uuid);
  const job = await pendingJobOf(executor, vm.uuid);
  if (job) {
    throw new ApiError(
      'RESOURCE_IN_USE_ERROR',
      `instance ${vm.name} is busy: ${job.job_cmd} is running as job ${job.uuid}; wait for it to end`,
    );
  }
  return vm;
}

/** @throws ApiError 431 naming the state the instance is in and those it would have to be in */
export function demandState(command: VmCommand, vm: Row<'vm_instance'>): void {
  if (canRequest(command, vmStateOf(vm.state))) return;
  throw new ApiError(
    'PARAM_ERROR',
    `${command} is not possible while instance ${vm.name} is ${vm.state}; it must be ${requestableStates[command].join(' or ')}`,
  );
}
