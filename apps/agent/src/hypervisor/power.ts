import { type Logger, sleep } from '@millrace/core';
import type { Watch } from '../reconcile/watch.ts';
import { domainState } from './domains.ts';
import type { DomainEvent } from './events.ts';
import { unless, type Virsh, VirshFailure } from './virsh.ts';

export interface PowerDeps {
  readonly virsh: Virsh;
  readonly subscribe: Watch['subscribe'];
  readonly log: Logger;
}

export interface PowerTarget {
  readonly uuid: string;
  readonly instanceName: string;
}

export interface PressOptions {
  readonly timeoutMs: number;
  /** Between presses. Default 3 s. */
  readonly pressEveryMs?: number;
  readonly signal: AbortSignal;
}

/** A press of the power button is lost on a guest that does not listen yet, so it is repeated this often. */
const defaultPressEveryMs = 3000;

/**
 * Presses the power button until the guest is off, as long as `timeoutMs` allows.
 * @returns whether it went off.
 */
export async function shutDown(
  deps: PowerDeps,
  vm: PowerTarget,
  { timeoutMs, pressEveryMs = defaultPressEveryMs, signal }: PressOptions,
): Promise<boolean> {
  const off = async () => (await domainState(deps.virsh, vm.uuid, signal)) !== 'Running';
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    const event = listen(
      deps,
      vm,
      ({ kind, detail }) => kind === 'lifecycle' && detail.startsWith('Stopped'),
    );
    try {
      await press(deps, 'shutdown', vm, signal);
      await event.within(Math.min(pressEveryMs, deadline - performance.now()), signal);
    } finally {
      event.stop();
    }
    // the event may have been missed while libvirtd restarted: the state decides
    if (await off()) return true;
  }
  return off();
}

/**
 * Asks the guest to reboot until it does, as long as `timeoutMs` allows.
 * @returns whether it did. A guest that switched itself off counts as done: the caller starts it again.
 */
export async function rebootByGuest(
  deps: PowerDeps,
  vm: PowerTarget,
  { timeoutMs, pressEveryMs = defaultPressEveryMs, signal }: PressOptions,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  const event = listen(
    deps,
    vm,
    ({ kind, detail }) => kind === 'reboot' || (kind === 'lifecycle' && detail.startsWith('Stopped')),
  );
  try {
    while (performance.now() < deadline) {
      await press(deps, 'reboot', vm, signal);
      if (await event.within(Math.min(pressEveryMs, deadline - performance.now()), signal)) return true;
    }
    return false;
  } finally {
    event.stop();
  }
}

/** Pulls the plug. A guest that is off already, or unknown, is fine. */
export async function destroy(
  deps: Pick<PowerDeps, 'virsh'>,
  vm: PowerTarget,
  signal: AbortSignal,
): Promise<void> {
  await unless('no-domain', unless('domain-not-running', deps.virsh(['destroy', vm.uuid], { signal })));
}

async function press(deps: PowerDeps, how: 'shutdown' | 'reboot', vm: PowerTarget, signal: AbortSignal) {
  try {
    await deps.virsh([how, vm.uuid], { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof VirshFailure)) throw error;
    // off or gone meanwhile: the caller looks; a busy or restarting daemon: the next press may get through
    if (error.problem !== 'domain-not-running' && error.problem !== 'no-domain')
      deps.log.warn({ vm: vm.uuid, reason: error.message }, `the ${how} request did not get through`);
  }
}

/** Listens from now on, so that no event between a press and its wait is missed. */
function listen(deps: PowerDeps, vm: PowerTarget, matches: (event: DomainEvent) => boolean) {
  const { promise: found, resolve } = Promise.withResolvers<true>();
  const stop = deps.subscribe(vm.instanceName, (event) => {
    if (matches(event)) resolve(true);
  });
  return {
    /** Whether the event has come by then. */
    async within(milliseconds: number, signal: AbortSignal): Promise<boolean> {
      const done = new AbortController();
      try {
        const late = sleep(Math.max(0, milliseconds), AbortSignal.any([signal, done.signal]));
        return await Promise.race([found, late.then(() => false)]);
      } finally {
        done.abort();
      }
    },
    stop,
  };
}
