import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Logger, silentLogger } from '@millrace/core';
import { chooseVirtType } from './virt-type.ts';

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-virt-'));
  await writeFile(join(directory, 'device'), '');
  await writeFile(join(directory, 'with'), 'processor\t: 0\nflags\t\t: fpu vme svm lm\n');
  await writeFile(join(directory, 'without'), 'processor\t: 0\nflags\t\t: fpu svme lm\nbugs\t\t: vmx\n');
});
after(() => rm(directory, { recursive: true }));

const cases = [
  ['with', 'device', 'auto', 'kvm', 0],
  ['without', 'device', 'auto', 'qemu', 1],
  ['with', 'missing', 'auto', 'qemu', 1],
  ['without', 'device', 'kvm', 'kvm', 0],
  ['with', 'device', 'qemu', 'qemu', 0],
] as const;
for (const [cpuinfo, kvm, wanted, expected, warnings] of cases) {
  test(`CPU ${cpuinfo} flag, /dev/kvm ${kvm}, ${wanted} wanted: ${expected}, ${warnings} warning(s)`, async () => {
    const warned: string[] = [];
    const log: Logger = { ...silentLogger, warn: (_, message) => warned.push(message) };
    const paths = { cpuinfo: join(directory, cpuinfo), kvm: join(directory, kvm) };
    assert.equal(await chooseVirtType(wanted, log, paths), expected);
    assert.equal(warned.length, warnings);
  });
}
