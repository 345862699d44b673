import { sql } from 'kysely';
import {
  nextState,
  type VmEvent,
  type VmState,
  vmStateOf,
  vmStates,
} from '../domain/virtual-machine-states.ts';
import type { Executor } from './database.ts';
import type { RowUpdate } from './schema.ts';

/**
 * Moves an instance to the state that follows `event`, if it is still in the state that was read. Doing the same again
 * (a commit whose answer was lost) is no failure.
 * @returns the state it is in now, and whether the event applied
 */
export async function transitionVm(
  executor: Executor,
  vmId: number,
  event: VmEvent,
  also: Omit<RowUpdate<'vm_instance'>, 'state' | 'update_count' | 'update_time'> = {},
): Promise<{ readonly applied: boolean; readonly state: VmState }> {
  for (;;) {
    const row = await executor
      .selectFrom('vm_instance')
      .select(['state', 'update_count'])
      .where('id', '=', vmId)
      .executeTakeFirstOrThrow();
    const state = vmStateOf(row.state);
    const next = nextState(state, event);
    if (next === undefined) return { applied: leadsTo(event, state), state };
    const updated = await executor
      .updateTable('vm_instance')
      .set({
        ...(endsRestart.has(event) ? { ha_restart: false } : {}),
        ...also,
        state: next,
        update_count: sql<number>`update_count + 1`,
        update_time: new Date(),
      })
      .where('id', '=', vmId)
      .where('state', '=', row.state)
      .where('update_count', '=', row.update_count)
      .executeTakeFirst();
    if (updated.numUpdatedRows > 0n) return { applied: true, state: next };
  }
}

/** It runs again, or somebody wants that it does not. */
const endsRestart: ReadonlySet<VmEvent> = new Set(['started', 'stop', 'destroy', 'expunge']);

/** Whether the event, from some other state, ends in this one: then it has happened already. */
function leadsTo(event: VmEvent, state: VmState): boolean {
  return vmStates.some((from) => nextState(from, event) === state);
}

/**
 * The guests of a host that is away may well run (nobody can tell): they are marked, and judged anew when the host is back.
 * @returns how many
 */
export async function markInstancesUnknown(executor: Executor, hostId: number): Promise<number> {
  const vms = await executor
    .selectFrom('vm_instance')
    .select('id')
    .where('host_id', '=', hostId)
    .where('state', 'in', ['Running', 'Stopping', 'Migrating'])
    .where('removed', 'is', null)
    .execute();
  for (const vm of vms) await transitionVm(executor, vm.id, 'host-lost');
  return vms.length;
}
