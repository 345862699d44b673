import { randomBytes, randomUUID } from 'node:crypto';
import { ApiError } from '@millrace/api';
import { MillraceError } from '@millrace/core';
import { sql } from 'kysely';
import { z } from 'zod';
import { messageForUsers } from '../domain/host-failures.ts';
import type { JobContext } from '../jobs/job-context.ts';
import type { JobDefinition } from '../jobs/job-runner.ts';
import { type Step, StepFailed } from '../jobs/steps.ts';
import { placeInstance } from '../placement/choose-host.ts';
import type { Executor } from '../store/database.ts';
import { transitionVm } from '../store/vm-transitions.ts';
import { callHost } from './agent-call.ts';
import { placementLock } from './choose-host-step.ts';
import { demandOf, loadCandidates, readOverCommit } from './host-candidates.ts';
import type { WorkflowDeps } from './host-steps.ts';
import { loadPlace, loadVm, loadVmSpec, rootVolumeOf, type VmRecord } from './records.ts';
import { reconnectBoundMs, recordVmEvent, vmAnswer } from './vm-job.ts';

type Context = JobContext<'migrateVirtualMachine'>;

const moveState = z.object({
  sourceId: z.number(),
  targetId: z.number(),
  poolId: z.number(),
  leaseSeconds: z.number().nullable(),
});
type MoveState = z.infer<typeof moveState>;

interface Move {
  readonly deps: WorkflowDeps;
  readonly context: Context;
  readonly record: VmRecord;
  readonly reconnectMs: number;
}

/**
 * Moves a running instance to another host without stopping it. Its disks stay where they are, so both hosts must reach
 * their pool. It runs on one host at any time: libvirt starts it there only when it has stopped it here.
 */
export function migrateVirtualMachine(deps: WorkflowDeps): JobDefinition<'migrateVirtualMachine'> {
  return {
    async run(context) {
      const { vmId } = context.parameters;
      const record = await context.read((database) => loadVm(database, vmId));
      const { vm } = record;
      const move: Move = { deps, context, record, reconnectMs: await reconnectBoundMs(context) };
      await context.write((trx) =>
        recordVmEvent(trx, context, vm, {
          type: 'VM.MIGRATE',
          state: 'Started',
          description: `Starting to move instance ${vm.name} to another host`,
        }),
      );
      try {
        await deps.runSteps<MoveState>({
          context,
          prefix: 'migrate/',
          steps: [planStep(move), moveStep(move), recordStep(move)],
          initial: {},
          // optional in zod also means undefined, which JSON does not have
          decode: (value) => moveState.partial().parse(value) as Partial<MoveState>,
        });
      } catch (error) {
        if (!(error instanceof StepFailed)) throw error;
        throw await moveFailed(context, record, error);
      }
      await context.write((trx) =>
        recordVmEvent(trx, context, vm, {
          type: 'VM.MIGRATE',
          state: 'Completed',
          description: `Successfully moved instance ${vm.name} to another host`,
        }),
      );
      return vmAnswer(context, vmId);
    },
    async giveUp(context, reason) {
      const record = await context.read((database) => loadVm(database, context.parameters.vmId));
      // where it runs now its hosts report
      await context.write(async (trx) => {
        await transitionVm(trx, record.vm.id, 'migrate-failed');
        await recordVmEvent(trx, context, record.vm, {
          type: 'VM.MIGRATE',
          state: 'Completed',
          level: 'ERROR',
          description: `Moving instance ${record.vm.name} failed: ${reason}`,
        });
      });
    },
  };
}

function planStep({ context, record }: Move): Step<MoveState> {
  const { vm } = record;
  return {
    name: 'plan',
    do: async () => {
      const sourceId = vm.host_id;
      const volume = await context.read((database) => rootVolumeOf(database, vm.id));
      const poolId = volume?.pool_id;
      if (sourceId === null || poolId == null)
        throw new ApiError('RESOURCE_UNAVAILABLE_ERROR', `instance ${vm.name} runs on no host`);
      return context.write(async (trx) => {
        await sql`select pg_advisory_xact_lock(${placementLock})`.execute(trx);
        const targetId = await chooseTarget(trx, record, {
          sourceId,
          poolId,
          askedId: context.parameters.hostId,
        });
        const { applied, state } = await transitionVm(trx, vm.id, 'migrate');
        if (!applied) throw new ApiError('PARAM_ERROR', `instance ${vm.name} is ${state} meanwhile`);
        return { sourceId, poolId, targetId };
      });
    },
    undo: async () => {
      await context.write((trx) => transitionVm(trx, vm.id, 'migrate-failed'));
    },
  };
}

/** @throws ApiError 533 that says why each host was left out */
async function chooseTarget(
  trx: Executor,
  record: VmRecord,
  move: { readonly sourceId: number; readonly poolId: number; readonly askedId: number | undefined },
): Promise<number> {
  const { vm, template } = record;
  const candidates = await loadCandidates(trx, {
    zoneId: vm.data_center_id,
    templateId: template.id,
    exceptVmId: vm.id,
  });
  const elsewhere = candidates.filter(({ hostId }) => hostId !== move.sourceId);
  const demand = demandOf(record, template, { poolId: move.poolId, hostId: move.askedId });
  const { suitable, leftOut } = placeInstance(elsewhere, demand, await readOverCommit(trx));
  const [best] = suitable;
  if (best) return best.hostId;
  const reasons = leftOut.map(({ host, reason }) => `${host}: ${reason}`).join('; ');
  throw new ApiError(
    'INSUFFICIENT_CAPACITY_ERROR',
    `instance ${vm.name} can be moved to no other host: ${reasons || 'there is none'}`,
    { userText: `instance ${vm.name} can be moved to no other host now` },
  );
}

function moveStep(move: Move): Step<MoveState> {
  const { context, deps, record } = move;
  const { vm } = record;
  const reference = { uuid: vm.uuid, instanceName: vm.instance_name };
  return {
    name: 'move',
    do: async ({ sourceId, targetId, poolId }) => {
      const source = await context.read((database) => loadPlace(database, sourceId, poolId));
      const target = await context.read((database) => loadPlace(database, targetId, poolId));
      const volume = await context.read((database) => rootVolumeOf(database, vm.id));
      if (!volume?.path) throw new MillraceError('VOLUME_MISSING', 'the instance has no usable root disk');
      const { uuid, path } = volume;
      const spec = await context.read((database) =>
        loadVmSpec(database, record, target.pool, { uuid, path }),
      );
      const address = await context.read((database) => addressOf(database, targetId));
      // made anew by each worker: what is kept of a job holds no secret
      const secret = { session: randomUUID(), secret: randomBytes(32).toString('hex') };
      const call = { signal: context.signal, reconnectMs: move.reconnectMs };
      const operation = (name: string) => `${context.job.uuid}/${name}-${secret.session}`;
      context.progress.report({ phase: 'preparing-host', percent: 10, hostname: target.hostName });
      const expected = await callHost(deps.agents, {
        ...call,
        hostId: targetId,
        method: 'vm.migrate.expect',
        params: { vm: spec, move: secret },
        operationId: operation('expect'),
      });
      // an earlier worker's move was made, and its answer lost
      const moved = { leaseSeconds: spec.ha?.leaseSeconds ?? null };
      if (expected.state === 'Running') return moved;
      context.progress.report({ phase: 'moving', percent: 30, hostname: target.hostName });
      try {
        await callHost(deps.agents, {
          ...call,
          hostId: sourceId,
          method: 'vm.migrate.send',
          params: {
            vm: reference,
            pool: source.pool,
            move: secret,
            address,
            port: expected.port,
            poolPath: expected.poolPath,
          },
          operationId: operation('send'),
        });
      } catch (error) {
        if (context.signal.aborted) throw error;
        if (!(await runsAt(move, targetId))) throw error;
      } finally {
        await callHost(deps.agents, {
          ...call,
          hostId: targetId,
          method: 'vm.migrate.end',
          params: { move: secret },
          operationId: operation('end'),
          reconnectMs: 0,
        }).catch(() => {});
      }
      if (!(await runsAt(move, targetId)))
        throw new MillraceError('VM_STATE_CHANGED', 'the instance does not run any more');
      return moved;
    },
  };
}

async function runsAt({ context, deps, record, reconnectMs }: Move, hostId: number): Promise<boolean> {
  const { state } = await callHost(deps.agents, {
    hostId,
    method: 'vm.state',
    params: { vm: { uuid: record.vm.uuid, instanceName: record.vm.instance_name } },
    operationId: `${context.job.uuid}/state-${randomUUID()}`,
    signal: context.signal,
    reconnectMs,
  });
  return state === 'Running';
}

function recordStep({ context, record }: Move): Step<MoveState> {
  return {
    name: 'record',
    do: async ({ targetId, leaseSeconds }) => {
      await context.write(async (trx) => {
        const place = { host_id: targetId, last_host_id: targetId, ha_lease_seconds: leaseSeconds };
        const { applied, state } = await transitionVm(trx, record.vm.id, 'migrated', place);
        if (!applied) throw new MillraceError('VM_STATE_CHANGED', `the instance is ${state} meanwhile`);
      });
      return {};
    },
  };
}

async function addressOf(executor: Executor, hostId: number): Promise<string> {
  const { private_ip_address: address } = await executor
    .selectFrom('host')
    .select('private_ip_address')
    .where('id', '=', hostId)
    .executeTakeFirstOrThrow();
  if (address === null) throw new MillraceError('POOL_UNREACHABLE', 'the other host has told no address');
  return address;
}

async function moveFailed(context: Context, { vm }: VmRecord, error: StepFailed): Promise<ApiError> {
  const { failure } = error;
  const text = (message: string) => `Moving instance ${vm.name} failed: ${message}`;
  const userText = text(
    error.cause instanceof ApiError ? error.cause.userText : messageForUsers(failure.code, failure.message),
  );
  await context.write((trx) =>
    recordVmEvent(trx, context, vm, {
      type: 'VM.MIGRATE',
      state: 'Completed',
      level: 'ERROR',
      description: userText,
    }),
  );
  if (error.cause instanceof ApiError) return error.cause;
  return new ApiError('INTERNAL_ERROR', text(failure.message), { userText });
}
