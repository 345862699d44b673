import type { VmStateReport } from '@millrace/agent-protocol';

/**
 * What the server has to be told: every domain whose state is not the one it acknowledged last, and every one it was
 * told of that is gone. `everything` reports all that is seen, changed or not.
 */
export function decide(
  acknowledged: ReadonlyMap<string, VmStateReport>,
  seen: readonly VmStateReport[],
  everything = false,
): VmStateReport[] {
  const present = new Set(seen.map((vm) => vm.uuid));
  const changed = seen.filter((vm) => everything || acknowledged.get(vm.uuid)?.state !== vm.state);
  const gone = [...acknowledged.values()].filter((vm) => !present.has(vm.uuid) && vm.state !== 'Missing');
  return [...changed, ...gone.map((vm) => ({ ...vm, state: 'Missing' as const }))];
}
