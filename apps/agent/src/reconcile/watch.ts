import type { VmStateReport } from '@millrace/agent-protocol';
import { describeError, type Logger, sleep } from '@millrace/core';
import type { DomainEvent } from '../hypervisor/events.ts';
import { decide } from './decide.ts';

/** Keeps the server's picture of this host's VMs true: libvirt is asked after every event, and slowly all the time. */
export interface Watch {
  /** Something may have changed. `everything`: report every domain, whatever was acknowledged. */
  look(everything?: boolean): void;
  /** Takes an event of libvirt's stream. */
  onEvent(event: DomainEvent): void;
  /** Calls `listener` with each event of one domain until the returned function is called. */
  subscribe(domain: string, listener: (event: DomainEvent) => void): () => void;
  /**
   * A server took this list as the whole truth (`host.hello`); later changes go to `report`, or to that of another server:
   * they share one database, so each change has to reach one of them. @returns what ends it
   */
  connected(list: readonly VmStateReport[], report: Report): () => void;
  /** Looks for as long as the signal allows. */
  run(signal: AbortSignal): Promise<void>;
}

type Report = (vm: VmStateReport) => Promise<void>;

export interface WatchOptions {
  readonly list: (signal: AbortSignal) => Promise<VmStateReport[]>;
  readonly log: Logger;
  /** The net under the events. */
  readonly everyMs?: number;
  /** Every so many of these looks tell everything: what a server could not do about a report it then hears of again. */
  readonly everythingAfter?: number;
}

/** Events come in bursts (Resumed, Started, …): one look serves a burst. */
const settleMs = 30;

export function makeWatch({ list, log, everyMs = 30_000, everythingAfter = 10 }: WatchOptions): Watch {
  const acknowledged = new Map<string, VmStateReport>();
  const listeners = new Set<{ domain: string; listener: (event: DomainEvent) => void }>();
  const reports = new Set<Report>();
  /** Counts hellos: after one, its list is the newer truth. */
  let hellos = 0;
  let wanted: { everything: boolean } | undefined;
  let wake: () => void = () => {};

  const look = (everything = false) => {
    wanted = { everything: everything || wanted?.everything === true };
    wake();
  };

  const lookOnce = async (everything: boolean, signal: AbortSignal) => {
    if (reports.size === 0) return;
    const before = hellos;
    let failed: { readonly error: unknown } | undefined;
    for (const vm of decide(acknowledged, await list(signal), everything)) {
      if (acknowledged.get(vm.uuid)?.state !== vm.state)
        log.info({ vm: vm.uuid, name: vm.instanceName, state: vm.state }, 'virtual machine changed');
      // one that no server takes must not keep the others back
      const problem = await tellOne(reports, vm);
      if (hellos !== before) return;
      failed ??= problem;
      if (problem) continue;
      if (vm.state === 'Missing') acknowledged.delete(vm.uuid);
      else acknowledged.set(vm.uuid, vm);
    }
    if (failed) throw failed.error;
  };

  return {
    look,
    onEvent(event) {
      for (const { domain, listener } of listeners) if (domain === event.domain) listener(event);
      if (event.kind === 'lifecycle') look();
    },

    subscribe(domain, listener) {
      const entry = { domain, listener };
      listeners.add(entry);
      return () => listeners.delete(entry);
    },

    connected(vms, reportTo) {
      acknowledged.clear();
      for (const vm of vms) acknowledged.set(vm.uuid, vm);
      hellos++;
      reports.add(reportTo);
      look();
      return () => reports.delete(reportTo);
    },

    async run(signal) {
      for (let looks = 1; !signal.aborted; looks++) {
        if (!wanted) {
          const { promise, resolve } = Promise.withResolvers<void>();
          wake = resolve;
          const pause = new AbortController();
          await Promise.race([promise, sleep(everyMs, AbortSignal.any([signal, pause.signal]))]).catch(
            () => {},
          );
          pause.abort();
        }
        await sleep(settleMs, signal).catch(() => {});
        if (signal.aborted) return;
        const everything = wanted?.everything ?? looks % everythingAfter === 0;
        wanted = undefined;
        try {
          await lookOnce(everything, signal);
        } catch (error) {
          if (signal.aborted) return;
          log.warn(
            { reason: describeError(error) },
            'the state of the virtual machines could not be reported',
          );
          // a broken daemon or connection gets a moment, and what was wanted is still wanted
          wanted = { everything };
          await sleep(1000, signal).catch(() => {});
        }
      }
    },
  };
}

/** Tells the first server that takes it. @returns why none did; undefined also when none is left, for its hello tells all */
async function tellOne(
  reports: ReadonlySet<Report>,
  vm: VmStateReport,
): Promise<{ readonly error: unknown } | undefined> {
  let problem: { readonly error: unknown } | undefined;
  for (const report of [...reports]) {
    try {
      await report(vm);
      return undefined;
    } catch (error) {
      problem = { error };
    }
  }
  return problem;
}
