/** Every state of an instance, in CloudStack's spelling. `Expunged` rows have `removed` set and are listed no more. */
export const vmStates = [
  'Starting',
  'Running',
  'Stopping',
  'Migrating',
  'Stopped',
  'Destroyed',
  'Expunging',
  'Expunged',
  'Error',
  'Unknown',
] as const;

export type VmState = (typeof vmStates)[number];

/** What happens to an instance: a step of a workflow, or a report of its host. */
export type VmEvent =
  | 'start' // a job begins to start it
  | 'started' // its domain runs
  | 'start-failed' // no host could start it; its disk is whole
  | 'deploy-failed' // it never came to be
  | 'deployed-stopped' // created without being started
  | 'stop' // a job begins to stop it
  | 'stopped' // its domain is gone: after a stop, or the guest powered itself off
  | 'stop-failed' // it runs still
  | 'migrate' // a job begins to move it to another host
  | 'migrated' // it runs there
  | 'migrate-failed' // it runs where it ran
  | 'destroy'
  | 'recover'
  | 'expunge' // a job begins to remove its disk, network card and domain
  | 'expunged'
  | 'expunge-failed'
  | 'host-lost' // its host cannot be asked; the guest may well run (invariant 7)
  | 'host-fenced'; // its host cannot run it any more, and nobody asked for that

/**
 * The state that follows each event. An event that a state does not name is no transition: a late report must not
 * resurrect a destroyed instance. The database write compares the old state and sets the new one.
 */
export const vmTransitions = {
  Starting: {
    start: 'Starting',
    started: 'Running',
    'start-failed': 'Stopped',
    'deploy-failed': 'Error',
    'deployed-stopped': 'Stopped',
    stopped: 'Stopped',
    destroy: 'Destroyed',
    expunge: 'Expunging',
    'host-lost': 'Unknown',
  },
  Running: {
    started: 'Running',
    stop: 'Stopping',
    stopped: 'Stopped',
    migrate: 'Migrating',
    destroy: 'Destroyed',
    expunge: 'Expunging',
    'host-lost': 'Unknown',
    'host-fenced': 'Stopped',
  },
  Migrating: {
    migrate: 'Migrating',
    migrated: 'Running',
    'migrate-failed': 'Running',
    started: 'Running',
    stopped: 'Stopped',
    destroy: 'Destroyed',
    expunge: 'Expunging',
    'host-lost': 'Unknown',
  },
  Stopping: {
    stop: 'Stopping',
    stopped: 'Stopped',
    'stop-failed': 'Running',
    started: 'Running',
    destroy: 'Destroyed',
    expunge: 'Expunging',
    'host-lost': 'Unknown',
    'host-fenced': 'Stopped',
  },
  Stopped: {
    start: 'Starting',
    // a domain that someone started behind our back runs all the same
    started: 'Running',
    'start-failed': 'Stopped',
    'deployed-stopped': 'Stopped',
    'deploy-failed': 'Error',
    stopped: 'Stopped',
    destroy: 'Destroyed',
    expunge: 'Expunging',
  },
  Destroyed: { recover: 'Stopped', destroy: 'Destroyed', expunge: 'Expunging' },
  Expunging: { expunge: 'Expunging', expunged: 'Expunged', 'expunge-failed': 'Expunging' },
  Expunged: {},
  Error: { destroy: 'Destroyed', expunge: 'Expunging' },
  Unknown: {
    started: 'Running',
    stop: 'Stopping',
    stopped: 'Stopped',
    destroy: 'Destroyed',
    expunge: 'Expunging',
    'host-lost': 'Unknown',
    'host-fenced': 'Stopped',
  },
} as const satisfies Record<VmState, Partial<Record<VmEvent, VmState>>>;

/** The state after `event`, or undefined when the event does not apply in this state. */
export function nextState(state: VmState, event: VmEvent): VmState | undefined {
  const transitions: Partial<Record<VmEvent, VmState>> = vmTransitions[state];
  return transitions[event];
}

/** States in which each command is accepted. A pending job for the same instance is refused besides, whatever the state. */
export const requestableStates = {
  startVirtualMachine: ['Stopped'],
  stopVirtualMachine: ['Running', 'Stopping', 'Unknown'],
  rebootVirtualMachine: ['Running'],
  // Starting and Stopping without a pending job is what a lost job leaves: destroying must get an operator out of it
  destroyVirtualMachine: [
    'Running',
    'Stopped',
    'Error',
    'Unknown',
    'Starting',
    'Stopping',
    'Migrating',
    'Destroyed',
  ],
  expungeVirtualMachine: ['Destroyed', 'Error', 'Expunging'],
  recoverVirtualMachine: ['Destroyed'],
  restoreVirtualMachine: ['Running', 'Stopped'],
  migrateVirtualMachine: ['Running'],
  attachVolume: ['Running', 'Stopped'],
  detachVolume: ['Running', 'Stopped'],
  resizeVolume: ['Running', 'Stopped'],
  changeServiceForVirtualMachine: ['Stopped'],
  resetPasswordForVirtualMachine: ['Stopped'],
  resetSSHKeyForVirtualMachine: ['Stopped'],
  attachIso: ['Running', 'Stopped'],
  detachIso: ['Running', 'Stopped'],
} as const satisfies Record<string, readonly VmState[]>;

export type VmCommand = keyof typeof requestableStates;

/** Whether `command` may be asked for while the instance is in `state`. Shared with whoever shows what is possible. */
export function canRequest(command: VmCommand, state: VmState): boolean {
  const states: readonly VmState[] = requestableStates[command];
  return states.includes(state);
}

/** Reads a state from the database. @throws Error for a word that is no state: the row was written by something else. */
export function vmStateOf(text: string): VmState {
  const state = vmStates.find((candidate) => candidate === text);
  if (!state) throw new Error(`unknown state of a virtual machine: ${text}`);
  return state;
}
