import { describeError, hasErrorCode, type Logger, sleep } from '@millrace/core';
import { makeCertificateRequest } from '../../agent/src/join/certificate-request.ts';
import { joinServer } from '../../agent/src/join/join.ts';
import { reconnectDelayMs } from '../../agent/src/session/backoff.ts';
import { type Faults, faultsOf } from './faults/host-faults.ts';
import { type RunningHost, runHost } from './host/run-host.ts';
import { makeHostState, makeWorld } from './host/world.ts';

export interface StartHostsOptions {
  readonly serverUrl: string;
  /** One for each host. */
  readonly hosts: readonly { readonly name: string; readonly token: string }[];
  readonly speed: number;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface SimulatedHosts {
  /** Resolves when the signal has aborted and all hosts have ended. */
  readonly ended: Promise<void>;
  setFaults(faults: Faults): void;
}

/** Joins so many at a time: each join is two handshakes and a signature on both sides. */
const joinsAtOnce = 8;

/** Joins hosts with the server and runs them until the signal aborts. Resolves when all have joined. */
export async function startHosts(options: StartHostsOptions): Promise<SimulatedHosts> {
  const { hosts, speed, log, signal } = options;
  const world = makeWorld(speed);
  const running = new Map<string, RunningHost>();
  const waiting = [...hosts.entries()];
  const joinSome = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [index, { name, token }] = next;
      const identity = await join(options, name, token);
      const state = makeHostState(world, name, index + 1);
      running.set(name, runHost({ ...options, state, identity }));
    }
  };
  await Promise.all(Array.from({ length: joinsAtOnce }, joinSome));
  log.info({ hosts: running.size }, 'all simulated hosts have joined');
  return {
    ended: Promise.all([...running.values()].map(({ ended }) => ended)).then(() => {}),
    setFaults(faults) {
      for (const [name, host] of running) host.setFaults(faultsOf(faults, name));
    },
  };

  async function join({ serverUrl }: StartHostsOptions, hostName: string, token: string) {
    for (let attempt = 0; ; attempt++) {
      try {
        return await joinServer({ serverUrl, token, hostName, makeCertificateRequest, signal });
      } catch (error) {
        signal.throwIfAborted();
        if (!hasErrorCode(error, 'SERVER_UNREACHABLE')) throw error;
        log.warn({ hostName, reason: describeError(error) }, 'cannot join yet: trying again');
        await sleep(reconnectDelayMs(attempt, Math.random()), signal);
      }
    }
  }
}
