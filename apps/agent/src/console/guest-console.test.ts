import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasErrorCode } from '@millrace/core';
import type { Virsh } from '../hypervisor/virsh.ts';
import { openGuestConsole, screenSocketOf, serialTerminalOf } from './guest-console.ts';

const running = `<domain type='qemu' id='7'>
  <devices>
    <serial type='pty'>
      <source path='/dev/pts/3'/>
      <log file='/var/log/libvirt/qemu/i-2-7-VM-serial.log' append='on'/>
      <target type='isa-serial' port='0'/>
    </serial>
    <console type='pty' tty='/dev/pts/3'><source path='/dev/pts/3'/></console>
    <graphics type='vnc' socket='/var/lib/libvirt/qemu/domain-7-i-2-7-VM/vnc.sock'>
      <listen type='socket' socket='/var/lib/libvirt/qemu/domain-7-i-2-7-VM/vnc.sock'/>
    </graphics>
  </devices>
</domain>`;
const vm = { uuid: '5b2f0bb0-0d4d-4a60-a5a7-2a8a2ad7a9a1', instanceName: 'i-2-7-VM' };

const open = (definition: string, kind: 'screen' | 'serial') =>
  openGuestConsole({
    virsh: (async () => definition) as unknown as Virsh,
    vm,
    kind,
    signal: AbortSignal.timeout(5000),
  });

test('a live definition tells the socket of the screen and the terminal of the serial line', () => {
  assert.equal(screenSocketOf(running), '/var/lib/libvirt/qemu/domain-7-i-2-7-VM/vnc.sock');
  assert.equal(serialTerminalOf(running), '/dev/pts/3');
});

test('a screen on a port of the host and a serial line into a file are none', () => {
  const others = running
    .replace(/<graphics[\s\S]*<\/graphics>/, "<graphics type='vnc' port='5900' listen='127.0.0.1'/>")
    .replace(/<serial[\s\S]*<\/serial>/, "<serial type='file'><source path='/dev/pts/3'/></serial>");
  assert.equal(screenSocketOf(others), undefined);
  assert.equal(serialTerminalOf(others), undefined);
});

for (const [what, definition, kind, code] of [
  ['that does not run', running.replace(" id='7'", ''), 'serial', 'VM_NOT_RUNNING'],
  ['without a screen', running.replaceAll('vnc', 'spice'), 'screen', 'CONSOLE_MISSING'],
  ['without a serial terminal', running.replaceAll("'pty'", "'file'"), 'serial', 'CONSOLE_MISSING'],
] as const) {
  test(`the console of a guest ${what} is refused: ${code}`, async () => {
    await assert.rejects(open(definition, kind), (error) => hasErrorCode(error, code));
  });
}
