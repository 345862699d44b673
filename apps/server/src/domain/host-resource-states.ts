/** What an administrator asks of a host by `updateHost allocationstate=…`, in CloudStack's words. */
export const allocationEvents = ['Enable', 'Disable'] as const;

export type AllocationEvent = (typeof allocationEvents)[number];

/**
 * The administrative state that follows each word. A state that is not here allows neither: a host in maintenance leaves
 * it by `cancelHostMaintenance` alone, or it would take instances while somebody works on it.
 */
const transitions: Readonly<Record<string, Readonly<Record<AllocationEvent, string>>>> = {
  Enabled: { Enable: 'Enabled', Disable: 'Disabled' },
  Disabled: { Enable: 'Enabled', Disable: 'Disabled' },
};

/** The event of this name, whatever its case. */
export function allocationEventOf(text: string): AllocationEvent | undefined {
  return allocationEvents.find((event) => event.toLowerCase() === text.toLowerCase());
}

/** The state after the event, or undefined where the state does not allow it. */
export function afterAllocationEvent(state: string, event: AllocationEvent): string | undefined {
  return Object.hasOwn(transitions, state) ? transitions[state]?.[event] : undefined;
}

/** What an administrator says of a host that is away, in the words of declareHostAsDegraded and cancelHostAsDegraded. */
export type DegradedEvent = 'Declare' | 'Cancel';

/** As in CloudStack's ResourceState: a degraded host takes nothing, also when it is back, until that is cancelled. */
const degradedTransitions: Readonly<Record<string, Partial<Record<DegradedEvent, string>>>> = {
  Enabled: { Declare: 'Degraded' },
  Disabled: { Declare: 'Degraded' },
  Maintenance: { Declare: 'Degraded' },
  ErrorInMaintenance: { Declare: 'Degraded' },
  Degraded: { Cancel: 'Enabled' },
};

/** The state after the event, or undefined where the state does not allow it. */
export function afterDegradedEvent(state: string, event: DegradedEvent): string | undefined {
  return Object.hasOwn(degradedTransitions, state) ? degradedTransitions[state]?.[event] : undefined;
}
