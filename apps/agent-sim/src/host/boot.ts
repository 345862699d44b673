import { describeError, type Logger, sleep } from '@millrace/core';
import type { UrlFault } from '../faults/url-faults.ts';
import type { Machine } from './machine.ts';
import { type HostState, powerOff } from './world.ts';

export const bootMs = 2000;
const crashMs = 3000;

/** Switches a machine on: its guest boots by itself, and crashes by itself when it is to. */
export function powerOn(host: HostState, machine: Machine, faults: ReadonlySet<UrlFault>, log: Logger): void {
  machine.life = new AbortController();
  machine.state = 'Running';
  host.changed();
  void live(host, machine, faults.has('guest-crash')).catch((error: unknown) => {
    if (!machine.life.signal.aborted)
      log.error({ vm: machine.spec.uuid, reason: describeError(error) }, 'the simulated guest failed');
  });
}

async function live(host: HostState, machine: Machine, crashes: boolean): Promise<void> {
  const { signal } = machine.life;
  const { console, spec } = machine;
  const { speed } = host.world;
  const steps = [
    'SeaBIOS (simulated)\r\nBooting from Hard Disk…',
    `Linux version 6.1.0 (simulated) on ${host.name}`,
    `Memory: ${spec.memoryMiB * 1024}K/${spec.memoryMiB * 1024}K available, ${spec.cpus} CPU(s)`,
    ...spec.nics.map(({ ip, mac }, index) => `eth${index}: ${mac} ${ip ?? 'by DHCP'}`),
    `MILLRACE-GUEST: ready host=${spec.hostName} ip=${spec.nics[0]?.ip ?? 'none'}`,
  ];
  for (const line of steps) {
    await sleep(bootMs / steps.length / speed, signal);
    console.print(`${line}\r\n`);
  }
  console.print(`\r\n${spec.hostName}:~# `);
  if (!crashes && !host.faults.guestsCrash) return;
  await sleep(crashMs / speed, signal);
  crash(host, machine);
}

/** The guest's kernel panics, and its QEMU ends. */
export function crash(host: HostState, machine: Machine): void {
  machine.console.print('\r\nKernel panic - not syncing: simulated crash\r\n');
  powerOff(host, machine, 'the guest crashed');
}
