import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { MillraceError, runProgram } from '@millrace/core';
import { temporaryDirectory } from '../testing/request.ts';
import { type Confinement, findConfinement, type ProgramLimits, type ReachableFiles } from './confinement.ts';
import { findProgram } from './find-program.ts';

/** Needs bubblewrap and prlimit, and a kernel that lets bubblewrap create namespaces. */

const { signal } = new AbortController();
const limits: ProgramLimits = { memoryBytes: 2 ** 28, cpuSeconds: 10, openFiles: 32, fileBytes: 1000 };

async function run(
  confinement: Confinement,
  [name, ...argv]: readonly [string, ...string[]],
  rules: { readonly limits?: Partial<ProgramLimits>; readonly files?: ReachableFiles } = {},
): Promise<string> {
  const { file, argv: all } = confinement.command(`/usr/bin/${name}`, argv, {
    ...rules,
    limits: { ...limits, ...rules.limits },
  });
  return (await runProgram(file, all, { signal, input: 'the input' })).stdout;
}

const failed = (error: unknown) => error instanceof MillraceError && error.code === 'PROGRAM_FAILED';

async function bubblewrap(): Promise<Confinement> {
  const confinement = await findConfinement(signal);
  assert.equal(confinement?.kind, 'bubblewrap', confinement?.reason);
  return confinement!;
}

async function onlyLimits(): Promise<Confinement> {
  await using directory = await temporaryDirectory();
  await symlink((await findProgram('prlimit'))!, join(directory.path, 'prlimit'));
  const confinement = await findConfinement(signal, directory.path);
  assert.equal(confinement?.kind, 'limits');
  assert.match(confinement!.reason!, /bubblewrap is not installed/);
  const command = confinement!.command('/usr/bin/true', [], { limits });
  assert.equal(command.confinedBy, 'limits');
  return {
    ...confinement!,
    command: (...all) => ({ ...confinement!.command(...all), file: '/usr/bin/prlimit' }),
  };
}

test('under bubblewrap a program has its standard streams, /usr, and nothing else', async () => {
  const confinement = await bubblewrap();
  assert.equal(await run(confinement, ['cat']), 'the input');
  for (const path of ['/etc/passwd', '/proc/1/environ', '/dev/zero', '/root', '/tmp', import.meta.filename]) {
    await assert.rejects(run(confinement, ['head', '-c', '1', path]), failed, path);
  }
  assert.equal(
    (await run(confinement, ['ls', '/'])).trim().split('\n').sort().join(' '),
    'bin dev etc lib lib64 usr',
  );
  assert.equal(await run(confinement, ['id', '-u']), '65534\n');
  assert.equal(await run(confinement, ['env']), 'LC_ALL=C\nPWD=/\n');
});

test('files are reachable when they are named, and written only when that is allowed', async () => {
  await using directory = await temporaryDirectory();
  const confinement = await bubblewrap();
  const [input, output] = [join(directory.path, 'in put'), join(directory.path, 'output')];
  await writeFile(input, 'content', { mode: 0o600 });
  await writeFile(output, '', { mode: 0o600 });
  const files = { read: [input], write: [output] };
  assert.equal(await run(confinement, ['cat', input], { files }), 'content');
  await run(confinement, ['dd', 'status=none', `if=${input}`, `of=${output}`], { files });
  assert.equal(await readFile(output, 'utf8'), 'content');
  await assert.rejects(run(confinement, ['dd', `if=${output}`, `of=${input}`], { files }), failed);
  await assert.rejects(run(confinement, ['touch', join(directory.path, 'another')], { files }), failed);
});

test('limits hold with and without bubblewrap', async () => {
  await using directory = await temporaryDirectory();
  const output = join(directory.path, 'output');
  await writeFile(output, '');
  for (const confinement of [await bubblewrap(), await onlyLimits()]) {
    const shown = await run(confinement, ['prlimit', '--output=RESOURCE,SOFT,HARD', '--raw', '--noheadings']);
    for (const line of [
      'AS 268435456 268435456',
      'CPU 10 10',
      'NOFILE 32 32',
      'FSIZE 1000 1000',
      'CORE 0 0',
    ]) {
      assert.ok(shown.includes(`${line}\n`), `${confinement.kind}: ${line} in ${shown}`);
    }
    const tooMuch = ['dd', 'if=/usr/bin/dd', `of=${output}`, 'bs=500', 'count=10'] as const;
    await assert.rejects(run(confinement, tooMuch, { files: { write: [output] } }), failed);
    assert.equal((await readFile(output)).length, 1000);
    await assert.rejects(run(confinement, ['dd', 'if=/usr/bin/dd', 'bs=300M', 'count=1']), failed);
  }
});

test('a program outside of /usr cannot be seen by bubblewrap and gets limits only', async () => {
  const confinement = await bubblewrap();
  assert.equal(confinement.command('/opt/bin/xz', [], { limits }).confinedBy, 'limits');
  assert.equal(confinement.command('/usr/bin/xz', [], { limits }).confinedBy, 'bubblewrap');
});

test('a bubblewrap that may not do its work is found out by trying', async () => {
  await using directory = await temporaryDirectory();
  await symlink((await findProgram('prlimit'))!, join(directory.path, 'prlimit'));
  await symlink('/usr/bin/false', join(directory.path, 'bwrap'));
  const confinement = await findConfinement(signal, directory.path);
  assert.equal(confinement?.kind, 'limits');
  assert.match(confinement!.reason!, /exit code 1/);
});

test('without prlimit nothing is started at all', async () => {
  await using directory = await temporaryDirectory();
  assert.equal(await findConfinement(signal, directory.path), undefined);
});

test('only absolute directories of the search path count, and only what can be executed', async () => {
  await using directory = await temporaryDirectory();
  await mkdir(join(directory.path, 'a'));
  await mkdir(join(directory.path, 'b'));
  await writeFile(join(directory.path, 'a', 'program'), '');
  await writeFile(join(directory.path, 'b', 'program'), '');
  await chmod(join(directory.path, 'b', 'program'), 0o755);
  const searchPath = `.::${directory.path}/a:${directory.path}/b`;
  assert.equal(await findProgram('program', searchPath), join(directory.path, 'b', 'program'));
  assert.equal(await findProgram('no-such-program', searchPath), undefined);
});
