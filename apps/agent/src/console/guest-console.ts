import { constants, open } from 'node:fs';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { ReadStream, WriteStream } from 'node:tty';
import { promisify } from 'node:util';
import type { ConsoleKind, VmReference } from '@millrace/agent-protocol';
import { orAborted } from '@millrace/core';
import { fail } from '../failure.ts';
import { unless, type Virsh } from '../hypervisor/virsh.ts';

/**
 * Opens what is at the guest's end: the Unix socket of its VNC server, or the terminal of its serial port.
 * @throws AgentFailure `VM_NOT_RUNNING`, `CONSOLE_MISSING`
 */
export async function openGuestConsole(options: {
  readonly virsh: Virsh;
  readonly vm: VmReference;
  readonly kind: ConsoleKind;
  readonly signal: AbortSignal;
}): Promise<Duplex> {
  const { virsh, vm, kind, signal } = options;
  const definition = await unless('no-domain', virsh(['dumpxml', vm.uuid], { signal }));
  // only a running domain has a number
  if (definition === undefined || !/^<domain [^>]*\bid='\d+'/m.test(definition))
    fail(
      'VM_NOT_RUNNING',
      `the instance ${vm.instanceName} does not run here: it has no console`,
      undefined,
      'stop',
    );
  const path = kind === 'screen' ? screenSocketOf(definition) : serialTerminalOf(definition);
  if (path === undefined)
    fail(
      'CONSOLE_MISSING',
      `the instance ${vm.instanceName} was started without a ${kind === 'screen' ? 'screen' : 'serial terminal'}: stop and start it`,
      undefined,
      'stop',
    );
  return kind === 'screen' ? openSocket(path, signal) : openTerminal(path);
}

/** Of a live definition: `<graphics type='vnc' … socket='/var/lib/libvirt/qemu/domain-1-i-2-VM/vnc.sock'>`. */
export function screenSocketOf(definition: string): string | undefined {
  const graphics = /<graphics type='vnc'[^>]*>[\s\S]*?(?:<\/graphics>|$)/.exec(definition)?.[0] ?? '';
  return /\bsocket='([^'&]+)'/.exec(graphics)?.[1];
}

/** Of a live definition: `<serial type='pty'><source path='/dev/pts/3'/>`. */
export function serialTerminalOf(definition: string): string | undefined {
  const serial = /<serial type='pty'>[\s\S]*?<\/serial>/.exec(definition)?.[0] ?? '';
  return /<source path='(\/dev\/pts\/\d+)'/.exec(serial)?.[1];
}

/** Bare descriptors, since the streams own them: a file handle would close its own once it is collected. */
const openDescriptor = promisify(open);

async function openSocket(path: string, signal: AbortSignal): Promise<Duplex> {
  const socket = connect({ path, allowHalfOpen: false });
  const opened = Promise.withResolvers<void>();
  socket.once('connect', () => opened.resolve());
  socket.once('error', opened.reject);
  try {
    await orAborted(opened.promise, signal);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/**
 * Raw, so that what is typed reaches the guest as it is. Two descriptors: a terminal is read and written by streams of
 * its own. `O_NOCTTY`, or closing it would hang up the agent.
 */
async function openTerminal(path: string): Promise<Duplex> {
  const flags = constants.O_RDWR | constants.O_NOCTTY;
  const input = new ReadStream(await openDescriptor(path, flags));
  const output = new WriteStream(await openDescriptor(path, flags));
  input.setRawMode(true);
  const both = Duplex.from({ readable: input, writable: output });
  both.once('close', () => {
    input.destroy();
    output.destroy();
  });
  return both;
}
