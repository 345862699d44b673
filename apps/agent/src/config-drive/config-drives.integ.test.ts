import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { VmSpec } from '@millrace/agent-protocol';
import { hasErrorCode, runProgram } from '@millrace/core';
import { makeTestVm } from '../testing/vm.ts';
import { makeConfigDrives } from './config-drives.ts';

const { signal } = new AbortController();
const installed = await runProgram('xorriso', ['-version'], { signal }).then(
  () => true,
  () => false,
);
const skip = installed ? false : 'needs xorriso';

const configDrive: NonNullable<VmSpec['configDrive']> = {
  hostName: 'web-1',
  zoneName: 'zone1',
  serviceOffering: 'Micro',
  sshKeys: [{ name: 'ann', publicKey: 'ssh-ed25519 AAAA ann' }],
  userData: Buffer.from([0x1f, 0x8b, 0, 255, 10]).toString('base64'),
  password: 'secret',
};

async function temporary(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'drives-'));
  t.after(() => rm(directory, { recursive: true }));
  return directory;
}

test('a drive has the label that guests look for and the bytes of every file, and is for its owner only', {
  skip,
}, async (t) => {
  const directory = await temporary(t);
  const drives = makeConfigDrives(join(directory, 'drives'));
  const vm = makeTestVm({ configDrive });
  const path = await drives.place(vm, signal);
  assert.equal((await stat(path!)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(join(directory, 'drives')), [`${vm.uuid}.iso`], 'nothing else is left');
  const image = await readFile(path!);
  // the primary volume descriptor, ECMA-119 8.4
  assert.equal(image.toString('latin1', 32769, 32774), 'CD001');
  assert.equal(image.toString('latin1', 32808, 32840).trim(), 'config-2');
  const out = join(directory, 'out');
  await runProgram(
    'xorriso',
    ['-no_rc', '-osirrox', 'on', '-indev', path!, '-extract', '/openstack/latest/user_data', out],
    { signal },
  );
  assert.deepEqual([...(await readFile(out))], [0x1f, 0x8b, 0, 255, 10]);
});

test('every start makes the drive anew, and a machine without anything to hand over loses its own', {
  skip,
}, async (t) => {
  const directory = await temporary(t);
  const drives = makeConfigDrives(directory);
  const path = await drives.place(makeTestVm({ configDrive }), signal);
  assert.match((await readFile(path!)).toString('latin1'), /vm_password/i);
  const { password: _, ...without } = configDrive;
  await drives.place(makeTestVm({ configDrive: without }), signal);
  assert.doesNotMatch((await readFile(path!)).toString('latin1'), /vm_password|secret/i);
  assert.equal(await drives.place(makeTestVm(), signal), undefined);
  assert.deepEqual(await readdir(directory), []);
  await drives.place(makeTestVm({ configDrive }), signal);
  await drives.remove(makeTestVm().uuid);
  assert.deepEqual(await readdir(directory), []);
});

test('where no program can make the drive, the failure names the package and nothing secret is left', async (t) => {
  const directory = await temporary(t);
  const path = process.env['PATH'];
  process.env['PATH'] = directory;
  t.after(() => {
    process.env['PATH'] = path;
  });
  await assert.rejects(
    makeConfigDrives(join(directory, 'drives')).place(makeTestVm({ configDrive }), signal),
    (error: Error) =>
      hasErrorCode(error, 'CONFIG_DRIVE_FAILED') && /install the package xorriso/.test(error.message),
  );
  assert.deepEqual(await readdir(join(directory, 'drives')), []);
});

test('a machine whose id is a path reaches no file', async (t) => {
  const drives = makeConfigDrives(await temporary(t));
  await assert.rejects(drives.remove('../../etc/passwd'), (error) => hasErrorCode(error, 'VM_MISSING'));
});
