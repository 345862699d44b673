import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MillraceError, runProgram, spawnProgram } from '@millrace/core';
import { imageSinkContract, type SinkTarget } from '../../../../test/contracts/image-sink.ts';
import { startBadWebServer } from '../../../../test/servers/bad-web-server.ts';
import { type CommitStep, directorySink, partialPath, removeStalePartials } from '../index.ts';
import { temporaryDirectory } from '../testing/request.ts';

const { signal } = new AbortController();

imageSinkContract('directory sink', async (): Promise<SinkTarget> => {
  const directory = await temporaryDirectory();
  const path = join(directory.path, 'image.qcow2');
  return {
    sink: directorySink({ directory: directory.path, fileName: 'image.qcow2' }),
    visible: () => readFile(path).catch(() => undefined),
    traces: directory.names,
    occupy: (content) => writeFile(path, content),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
});

test('names that lead out of the directory are refused', () => {
  for (const fileName of ['', '.', '..', '../x', '/etc/passwd', 'a/b']) {
    assert.throws(
      () => directorySink({ directory: '/tmp', fileName }),
      (error) => error instanceof MillraceError && error.code === 'REQUEST_MALFORMED',
    );
  }
});

test('a partial image is readable by nobody else, the committed one has mode 0644 or the one asked for', async () => {
  for (const [options, mode] of [
    [{}, 0o644],
    [{ mode: 0o600 }, 0o600],
  ] as const) {
    await using directory = await temporaryDirectory();
    const image = await directorySink({ directory: directory.path, fileName: 'x', ...options }).open(signal);
    assert.equal((await stat(partialPath(directory.path, 'x'))).mode & 0o777, 0o600);
    await image.commit(0);
    assert.equal((await stat(join(directory.path, 'x'))).mode & 0o777, mode);
  }
});

test('the steps of a commit come in the order that makes it durable', async () => {
  await using directory = await temporaryDirectory();
  const steps: [CommitStep, readonly string[]][] = [];
  const sink = directorySink({
    directory: directory.path,
    fileName: 'x',
    onCommitStep: async (step) => {
      steps.push([step, await directory.names()]);
    },
  });
  await (await sink.open(signal)).commit(0);
  const hidden = ['.millrace-partial-x'];
  assert.deepEqual(steps, [
    ['sync-data', hidden],
    ['check-size', hidden],
    ['rename', hidden],
    ['sync-directory', ['x']],
    ['done', ['x']],
  ]);
});

test('a commit that fails at any step before the rename leaves nothing visible, and abort then leaves nothing', async () => {
  for (const failing of ['sync-data', 'check-size', 'rename'] as const) {
    await using directory = await temporaryDirectory();
    const sink = directorySink({
      directory: directory.path,
      fileName: 'x',
      onCommitStep: (step) => {
        if (step === failing) throw new Error('injected');
      },
    });
    const image = await sink.open(signal);
    await image.write(0, Buffer.from('abc'));
    await assert.rejects(image.commit(3), /injected/);
    assert.deepEqual(await directory.names(), ['.millrace-partial-x']);
    await image.abort();
    assert.deepEqual(await directory.names(), []);
  }
});

test('a partial image that somebody replaced is not published', async () => {
  await using directory = await temporaryDirectory();
  const image = await directorySink({ directory: directory.path, fileName: 'x' }).open(signal);
  await image.write(0, Buffer.from('verified'));
  await writeFile(join(directory.path, 'evil'), 'unverified');
  await rename(join(directory.path, 'evil'), partialPath(directory.path, 'x'));
  await assert.rejects(
    image.commit(8),
    (error) => error instanceof MillraceError && error.code === 'PARTIAL_LOST',
  );
  assert.ok(!(await directory.names()).includes('x'));
});

test('a directory that is missing is a pool that is unavailable', async () => {
  const sink = directorySink({ directory: '/nonexistent/pool', fileName: 'x' });
  await assert.rejects(
    sink.open(signal),
    (error) =>
      error instanceof MillraceError && error.code === 'POOL_UNAVAILABLE' && /ENOENT/.test(error.message),
  );
  assert.deepEqual(await removeStalePartials('/nonexistent/pool'), []);
});

for (const [step, visible] of [
  ['writing', false],
  ['sync-data', false],
  ['check-size', false],
  ['rename', false],
  ['sync-directory', true],
] as const) {
  test(`a process killed before or at ${step} leaves ${visible ? 'a whole image' : 'nothing visible'}`, async () => {
    await using directory = await temporaryDirectory();
    const script = fileURLToPath(new URL('../testing/commit-child.ts', import.meta.url));
    const child = spawnProgram(process.execPath, [script, '--directory', directory.path, '--stop-at', step], {
      signal: AbortSignal.timeout(60_000),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: child.stdout! })) {
      assert.equal(line, `at ${step}`);
      child.kill('SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    const removed = await removeStalePartials(directory.path);
    if (visible) {
      const whole = Buffer.concat([Buffer.alloc(100_000, 'a'), Buffer.alloc(100_000, 'b')]);
      assert.deepEqual(await readFile(join(directory.path, 'committed')), whole);
      assert.deepEqual(removed, []);
    } else {
      assert.deepEqual(removed, ['.millrace-partial-committed']);
      assert.deepEqual(await directory.names(), []);
    }
  });
}

test('stale partials are removed and nothing else', async () => {
  await using directory = await temporaryDirectory();
  for (const name of ['.millrace-partial-a', '.millrace-partial-b', 'image.qcow2', '.hidden']) {
    await writeFile(join(directory.path, name), name);
  }
  assert.deepEqual([...(await removeStalePartials(directory.path))].sort(), [
    '.millrace-partial-a',
    '.millrace-partial-b',
  ]);
  assert.deepEqual(await directory.names(), ['.hidden', 'image.qcow2']);
});

test('a full disk fails with figures, for another host to try, and leaves nothing', async (context) => {
  const unshared = ['--mount', '--map-root-user'];
  try {
    await runProgram('unshare', [...unshared, 'true'], { signal });
  } catch {
    context.skip('needs to be allowed to make a mount namespace');
    return;
  }
  await using directory = await temporaryDirectory();
  await using server = await startBadWebServer({ files: { image: randomBytes(30_000_000) } });
  const script = fileURLToPath(new URL('../testing/full-disk-child.ts', import.meta.url));
  // the first announces its length and fails at once, the second fails where the space ends
  const urls = [server.url('ok', 'image'), server.url('chunked', 'image')];
  const argv = [...unshared, process.execPath, script, directory.path, ...urls];
  const { stdout } = await runProgram('unshare', argv, { signal: AbortSignal.timeout(60_000) });
  const results: { code: string; failureClass: string; message: string; left: string[] }[] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    results.map(({ code, failureClass, left }) => [code, failureClass, left]),
    [
      ['POOL_FULL', 'next-host', []],
      ['POOL_FULL', 'next-host', []],
    ],
  );
  assert.match(results[0]!.message, /needs 30000000 bytes, \d+ are free/);
  assert.match(results[1]!.message, /after \d+ bytes of the image, \d+ (bytes )?are free/);
  assert.ok(server.bytesSent('/ok/') < 30_000_000, 'the first one must not be transferred whole');
});

test('space that is reserved for others is left to them, at the start and while the image is written', async () => {
  await using directory = await temporaryDirectory();
  let reserved = (capacityBytes: number) => capacityBytes;
  const sink = directorySink({
    directory: directory.path,
    fileName: 'x',
    reserve: (capacityBytes) => reserved(capacityBytes),
  });
  const full = { code: 'POOL_FULL', message: /\d+ are free, of which \d+ are kept for others/ };
  await assert.rejects(sink.open(signal), full);
  reserved = () => 0;
  const image = await sink.open(signal);
  const chunk = Buffer.alloc(4 * 1024 * 1024);
  await image.write(0, chunk);
  // somebody else has used the space meanwhile
  reserved = (capacityBytes) => capacityBytes;
  await assert.rejects(async () => {
    for (let written = 0; written < 4; written++) await image.write(0, chunk);
  }, full);
  await image.abort();
  assert.deepEqual(await directory.names(), []);
});
