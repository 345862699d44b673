import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describeError, type Logger } from '@millrace/core';
import { openGuestConsole } from '../console/guest-console.ts';
import type { Virsh } from '../hypervisor/virsh.ts';
import type { Handler } from './handler.ts';

export interface ConsoleOpenDeps {
  readonly virsh: Virsh;
  /** Connects with the server that asked. */
  readonly dial: (ticket: string, signal: AbortSignal) => Promise<Duplex>;
  /** Ends whoever listens to the serial line of a VM by now. */
  readonly serialLines: SerialLines;
  readonly log: Logger;
}

/** Who listens to serial lines on this host: two listeners would each get a part of what the guest says. */
export interface SerialLines {
  /** Ends the one before. */
  take(vmUuid: string, line: Duplex): void;
}

export function makeSerialLines(): SerialLines {
  const listeners = new Map<string, Duplex>();
  return {
    take(vmUuid, line) {
      listeners.get(vmUuid)?.destroy();
      listeners.set(vmUuid, line);
      line.once('close', () => {
        if (listeners.get(vmUuid) === line) listeners.delete(vmUuid);
      });
    },
  };
}

/** Joins a guest's screen or serial line with the server. Not repeatable, unlike all others: its ticket is good for once. */
export function makeConsoleOpen(deps: ConsoleOpenDeps): Handler<'console.open'> {
  return async ({ vm, kind, ticket }, { signal }) => {
    const guest = await openGuestConsole({ virsh: deps.virsh, vm, kind, signal });
    let server: Duplex;
    try {
      server = await deps.dial(ticket, signal);
    } catch (error) {
      guest.destroy();
      throw error;
    }
    if (kind === 'serial') deps.serialLines.take(vm.uuid, guest);
    void relay(guest, server).then((reason) =>
      deps.log.info({ vm: vm.uuid, kind, reason }, 'a console was closed'),
    );
    return {};
  };
}

/** Until either side ends; then the other one does too. */
async function relay(guest: Duplex, server: Duplex): Promise<string> {
  try {
    await Promise.race([pipeline(guest, server), pipeline(server, guest)]);
    return 'it ended';
  } catch (error) {
    return describeError(error);
  } finally {
    guest.destroy();
    server.destroy();
  }
}
