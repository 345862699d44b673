import type { VmPowerState } from '@millrace/agent-protocol';
import type { VmEvent, VmState } from '../domain/virtual-machine-states.ts';

/** What the server believes of an instance of which a host reports. */
export interface BelievedVm {
  readonly state: VmState;
  /** The host it is believed to run on. */
  readonly hostId: number | null;
  readonly lastHostId: number | null;
  readonly hasPendingJob: boolean;
}

export type PowerReportVerdict =
  | { readonly kind: 'nothing' }
  /** A job is at work on the instance and will say what became of it: look again when it has ended. */
  | { readonly kind: 'look-again' }
  | { readonly kind: 'transition'; readonly event: VmEvent }
  /** The domain must not run there: the instance is elsewhere, or no more. */
  | { readonly kind: 'stray' };

const nothing = { kind: 'nothing' } as const;

const leftBehind: ReadonlySet<VmState> = new Set(['Running', 'Stopped', 'Unknown', 'Expunged']);

/**
 * What a host's report on a domain means for the instance. Only domains of known instances are judged; a stray is one
 * that was left by an attempt at a host that could not be asked to clean up, and would fight the real one for its
 * addresses.
 */
export function judgePowerReport(
  vm: BelievedVm,
  reportingHostId: number,
  reported: VmPowerState,
): PowerReportVerdict {
  if (vm.hasPendingJob) return { kind: 'look-again' };
  const here = vm.hostId === reportingHostId;
  if (reported === 'Running') {
    switch (vm.state) {
      case 'Running':
        return here ? nothing : { kind: 'stray' };
      case 'Unknown':
      case 'Starting':
      case 'Stopping':
      case 'Migrating':
        return here ? { kind: 'transition', event: 'started' } : { kind: 'stray' };
      case 'Stopped':
        // only the host that has its disk can run it
        return vm.lastHostId === reportingHostId
          ? { kind: 'transition', event: 'started' }
          : { kind: 'stray' };
      default:
        return { kind: 'stray' };
    }
  }
  // what is left of it where it ran before: its definition, which could be started behind our back
  if (reported === 'Stopped' && !here && leftBehind.has(vm.state))
    if (vm.lastHostId !== reportingHostId || vm.state === 'Expunged')
      // where it ran last its definition is at home, as long as there is an instance
      return { kind: 'stray' };
  if (!here) return nothing;
  switch (vm.state) {
    case 'Running':
    case 'Starting':
    case 'Stopping':
    case 'Migrating':
    case 'Unknown':
      return { kind: 'transition', event: 'stopped' };
    default:
      return nothing;
  }
}
