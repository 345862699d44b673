import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fail } from '../../../agent/src/failure.ts';
import type { Handler } from '../../../agent/src/handlers/handler.ts';
import { openGuestScreen } from '../console/guest-screen.ts';
import { openGuestShell } from '../console/guest-shell.ts';
import { type HostState, powerOff } from '../host/world.ts';

/** Joins the screen or the serial line of a simulated guest with the server. */
export function makeConsoleOpen(
  host: HostState,
  dial: (ticket: string, signal: AbortSignal) => Promise<Duplex>,
): Handler<'console.open'> {
  return async ({ vm, kind, ticket }, { signal }) => {
    const machine = host.machines.get(vm.uuid);
    if (machine?.state !== 'Running')
      return fail('VM_NOT_RUNNING', `the instance ${vm.instanceName} does not run here`, undefined, 'stop');
    const server = await dial(ticket, signal);
    const guest =
      kind === 'serial'
        ? openGuestShell(machine, () => powerOff(host, machine, 'powered off from inside'))
        : openGuestScreen(machine);
    void relay(guest, server);
    return {};
  };
}

/** Until either side ends, however it does; then the other one ends too. */
async function relay(guest: Duplex, server: Duplex): Promise<void> {
  try {
    await Promise.race([pipeline(guest, server), pipeline(server, guest)]);
  } catch {
    // a console that is closed in the middle of a picture is closed all the same
  } finally {
    guest.destroy();
    server.destroy();
  }
}
