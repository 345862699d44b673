import type { AgentMethods, Handlers, VmStateReport } from '@millrace/agent-protocol';
import { describeError, type Logger, sleep } from '@millrace/core';
import { dialServer } from '../../../agent/src/console/dial-server.ts';
import { readMethods } from '../../../agent/src/handlers/handler.ts';
import { makeLanes } from '../../../agent/src/lanes.ts';
import { makeOperations, throughOperations } from '../../../agent/src/operations.ts';
import { makeWatch } from '../../../agent/src/reconcile/watch.ts';
import { runSession } from '../../../agent/src/session/session.ts';
import type { Identity } from '../../../agent/src/state/identity.ts';
import type { HostFaults } from '../faults/host-faults.ts';
import { makeConsoleOpen } from '../handlers/console-open.ts';
import { makeMachineHandlers } from '../handlers/machines.ts';
import { makeMigrateHandlers } from '../handlers/migrate.ts';
import { makePoolHandlers } from '../handlers/pools.ts';
import { makeTemplateHandlers } from '../handlers/templates.ts';
import { makeVolumeHandlers } from '../handlers/volumes.ts';
import { crash } from './boot.ts';
import { factsOf, loadOf } from './facts.ts';
import { type HostState, powerOff } from './world.ts';

export interface RunHostOptions {
  readonly state: HostState;
  readonly identity: Identity;
  readonly serverUrl: string;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface RunningHost {
  /** Resolves when the signal has aborted and everything has ended. */
  readonly ended: Promise<void>;
  setFaults(faults: HostFaults): void;
}

/** A host in front of which is the agent's own session: connections, operations by id and reports are the real ones. */
export function runHost(options: RunHostOptions): RunningHost {
  const { state, identity, serverUrl, signal } = options;
  const log = options.log.child({ hostName: state.name });
  state.world.hosts.set(identity.hostUuid, state);
  const watch = makeWatch({ list: async () => listMachines(state), log });
  state.changed = () => watch.look();
  const operations = makeOperations({ now: () => performance.now(), log, reads: readMethods });
  const handlers = throughOperations(makeHandlers(options, log), operations);
  const line = makeLine(signal);

  const stayConnected = async () => {
    while (!signal.aborted) {
      const connected = await line.open();
      await runSession(
        {
          serverUrls: [serverUrl],
          identity,
          handlersFor: () => handlers,
          facts: async () => factsOf(state),
          load: async () => loadOf(state),
          listVms: async () => listMachines(state),
          watch,
          setLimits: () => {},
          heard: () => {},
          log,
          random: Math.random,
        },
        connected,
      );
    }
  };
  const ended = Promise.all([watch.run(signal), stayConnected()]).then(
    () => operations.stop(),
    (error: unknown) => {
      if (!signal.aborted) log.error({ reason: describeError(error) }, 'the simulated host failed');
    },
  );
  return {
    ended,
    setFaults(faults) {
      const before = state.faults;
      state.faults = faults;
      if (faults.guestsCrash && !before.guestsCrash)
        for (const machine of state.machines.values()) if (machine.state === 'Running') crash(state, machine);
      if (faults.down && !before.down) {
        for (const machine of state.machines.values())
          if (machine.state === 'Running') powerOff(state, machine, 'the host lost its power');
      }
      line.setDown(faults.down === true);
      const seconds = faults.disconnectSeconds;
      if (seconds !== undefined && seconds !== before.disconnectSeconds) line.cutFor(seconds * 1000);
    },
  };
}

function makeHandlers({ state, identity, serverUrl }: RunHostOptions, log: Logger): Handlers<AgentMethods> {
  const lanes = makeLanes();
  return {
    ...makeTemplateHandlers(state, lanes),
    ...makeVolumeHandlers(state),
    ...makeMachineHandlers({ host: state, lanes, log }),
    ...makeMigrateHandlers(state, lanes),
    ...makePoolHandlers(state),
    'console.open': makeConsoleOpen(state, (ticket, signal) =>
      dialServer({ serverUrl, identity, ticket, signal }),
    ),
  };
}

function listMachines(state: HostState): VmStateReport[] {
  return [...state.machines.values()].map((machine) => ({
    uuid: machine.spec.uuid,
    instanceName: machine.spec.instanceName,
    state: machine.state,
  }));
}

/** The host's cable: while it is out there is no connection, and a new one when it is in again. */
function makeLine(signal: AbortSignal) {
  let down = false;
  let cutUntil = 0;
  let connected = new AbortController();
  let wake = () => {};
  const pull = () => {
    connected.abort(new Error('the network of the simulated host is away'));
    wake();
  };
  return {
    setDown(value: boolean) {
      if (value !== down) {
        down = value;
        if (down) pull();
        else wake();
      }
    },
    cutFor(milliseconds: number) {
      cutUntil = performance.now() + milliseconds;
      pull();
    },
    /** Waits for the cable. @returns what aborts when it is pulled, or when everything ends */
    async open(): Promise<AbortSignal> {
      for (;;) {
        signal.throwIfAborted();
        const leftMs = cutUntil - performance.now();
        if (!down && leftMs <= 0) break;
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        const pause = new AbortController();
        const limit = AbortSignal.any([signal, pause.signal]);
        // while it is down only a change, or the end, matters
        await Promise.race([promise, sleep(down ? 3600_000 : leftMs, limit)]).catch(() => {});
        pause.abort();
      }
      connected = new AbortController();
      return AbortSignal.any([signal, connected.signal]);
    },
  };
}
