import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runProgram, sleep, spawnProgram } from '@millrace/core';
import { buildTinyTemplate } from '../../apps/standalone/src/tiny-template/build-tiny-template.ts';
import { startDomain } from '../machine/domain.ts';
import { writeMicroGuest } from '../machine/micro-guest.ts';

/** The ground under the other tests: the machine they run in, and the guests they boot. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const machine = join(root, 'test/machine/run-in-machine.sh');
const signal = AbortSignal.timeout(240_000);
let work: string;

before(async () => {
  work = await mkdtemp(join(tmpdir(), 'millrace-machine-test-'));
  // QEMU runs as another user
  await runProgram('chmod', ['0711', work], { signal });
});

after(async () => {
  await rm(work, { recursive: true, force: true });
});

test('a machine for tests has a loopback, no other network, and a name of its own that resolves', async () => {
  const name = process.env['MILLRACE_TEST_MACHINE'];
  assert.ok(
    name,
    'end-to-end tests run in a machine of their own: npm test, or test/machine/run-in-machine.sh',
  );
  const cards = Object.keys(networkInterfaces()).filter((card) => !/^(mlr|virbr|vnet)/.test(card));
  assert.deepEqual(cards, ['lo']);
  const { stdout } = await runProgram('getent', ['hosts', name], { signal });
  assert.match(stdout, /127\.0\.0\.1/);
});

test('the tiny template boots from its recipe, counts its boots on its own disk, and heeds the power button', async () => {
  const template = await buildTinyTemplate({
    cacheDirectory: join(root, 'node_modules/.cache/millrace'),
    tag: 'machine-test',
    signal,
  });
  const diskPath = join(work, 'tiny.qcow2');
  await runProgram(
    'qemu-img',
    ['create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', template.path, diskPath],
    { signal },
  );
  // the cache may lie where QEMU's user cannot go: the overlay is made to stand alone
  await runProgram('qemu-img', ['rebase', '-q', '-f', 'qcow2', '-b', '', diskPath], { signal });
  const domain = await startDomain({ name: 'tiny', diskPath, memoryMiB: 128, signal });
  assert.match(
    await domain.says(/MILLRACE-GUEST: ready.*\r\n/),
    /ready host=tiny ip=none template=machine-test boots=1 disk=\d{8}/,
  );
  await domain.virsh('shutdown', 'tiny');
  await domain.untilState('shut off');
  assert.match(await domain.console(), /MILLRACE-GUEST: power button, off/);
  await domain.virsh('start', 'tiny');
  await domain.says(/boots=2/);
  await domain.virsh('destroy', 'tiny');
});

test('the micro guest is up at once, shows its template, counts its boots, and heeds the power button', async () => {
  const diskPath = join(work, 'micro.qcow2');
  await writeMicroGuest(diskPath, { tag: 'any tag', format: 'qcow2', signal });
  const domain = await startDomain({ name: 'micro', diskPath, memoryMiB: 16, signal });
  await domain.says(/MILLRACE-MICRO boot=01 tag=any tag\r\n/);
  await domain.virsh('shutdown', 'micro');
  await domain.untilState('shut off');
  assert.match(await domain.console(), /MILLRACE-MICRO power button, off/);
  await domain.virsh('start', 'micro');
  await domain.says(/MILLRACE-MICRO boot=02 tag=any tag\r\n/);
  await domain.virsh('destroy', 'micro');
});

/** Starts a machine whose command waits for a file; resolves once its command runs. */
async function startMachine(script: string) {
  const child = spawnProgram('sh', [machine, 'sh', '-c', script], {
    signal,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { TMPDIR: work },
  });
  const ended = once(child, 'close');
  await once(child.stdout!, 'data');
  return { child, ended };
}

test('two machines side by side share neither ports, nor VMs, nor processes, with each other or with this one', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(8080, '127.0.0.1', resolve));
  t.after(() => server.close());
  const diskPath = join(work, 'shared-name.qcow2');
  await writeMicroGuest(diskPath, { tag: 'outer', format: 'qcow2', signal });
  const outer = await startDomain({ name: 'same-name', diskPath, memoryMiB: 16, signal });
  try {
    // each finds no VM, makes one of the same name, listens on the same port, sees few processes, and stays a while
    const xml = `${work}/inner.xml`;
    await writeFile(
      xml,
      "<domain type='qemu'><name>same-name</name><memory unit='MiB'>16</memory><os><type>hvm</type></os></domain>",
    );
    const program = `require('net').createServer().listen(8080, '127.0.0.1', () => console.log('up'))`;
    const script = `set -e
      [ -z "$(virsh -q list --all --name)" ]
      virsh -q define ${xml} >/dev/null
      [ "$(ls -d /proc/[0-9]* | wc -l)" -lt 30 ]
      exec ${process.execPath} -e "${program}"`;
    const machines = await Promise.all([startMachine(script), startMachine(script)]);
    const { stdout } = await runProgram('virsh', ['-q', 'list', '--name'], { signal });
    assert.equal(stdout.trim(), 'same-name');
    for (const { child } of machines) child.kill('SIGKILL');
    await Promise.all(machines.map(({ ended }) => ended));
  } finally {
    await outer.virsh('destroy', 'same-name');
  }
});

test('everything in a machine dies with it, and its directory is cleared away by the next one', async () => {
  const marker = `sleep-${process.pid}`;
  const { child, ended } = await startMachine(
    `cp /bin/sleep "$TMPDIR/${marker}"; "$TMPDIR/${marker}" 600 & echo "$TMPDIR"; wait`,
  );
  const running = async () =>
    (await commandLines()).some((line) => line.includes(marker) && !line.startsWith('sh'));
  while (!(await running())) await sleep(50, signal);
  child.kill('SIGKILL');
  await ended;
  while (await running()) await sleep(50, signal);
  const before = await abandoned();
  await runProgram('sh', [machine, '--no-libvirt', 'true'], { signal });
  for (const directory of before) {
    if (directory !== process.env['TMPDIR']?.replace(/\/tmp$/, '')) {
      await assert.rejects(stat(directory), /ENOENT/);
    }
  }
});

test('the exit code of the command is that of the machine', async () => {
  await assert.rejects(
    runProgram('sh', [machine, '--no-libvirt', 'sh', '-c', 'exit 7'], { signal }),
    (error: { details?: { exitCode?: number } }) => error.details?.exitCode === 7,
  );
});

async function commandLines(): Promise<string[]> {
  const { stdout } = await runProgram('ps', ['-eo', 'args='], { signal });
  return stdout.split('\n');
}

/** Directories of machines whose lock nobody holds. */
async function abandoned(): Promise<string[]> {
  const names = (await readdir('/var/tmp')).filter((name) => name.startsWith('millrace-machine-'));
  const free = await Promise.all(
    names.map(async (name) => {
      const directory = `/var/tmp/${name}`;
      try {
        await runProgram('flock', ['--nonblock', join(directory, 'lock'), 'true'], { signal });
        return [directory];
      } catch {
        return [];
      }
    }),
  );
  return free.flat();
}
