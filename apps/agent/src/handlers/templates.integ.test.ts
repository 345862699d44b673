import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import type { AgentMethods, ImageProgressMessage, ParamsOf } from '@millrace/agent-protocol';
import { agentMethods, failureData } from '@millrace/agent-protocol';
import { runProgram, silentLogger, spawnProgram } from '@millrace/core';
import { makeLanes } from '../lanes.ts';
import { loadImageEngine } from '../storage/image-engine.ts';
import { makeTransfers } from '../storage/transfers.ts';
import { makeImageProbe } from './image-probe.ts';
import { makePoolClean } from './pool-clean.ts';
import { makeTemplateCheck } from './template-check.ts';
import { makeTemplatePrepare } from './template-prepare.ts';
import { makeTemplateRemove } from './template-remove.ts';

/** With the real image engine against a web server on loopback, and the real qemu-img. */

type Params = ParamsOf<AgentMethods, 'template.prepare'>;

const { signal } = new AbortController();
const mebibyte = 1024 * 1024;
let server: Server;
let requests: string[] = [];
let image: Buffer;
let scratch: string;
let directory: string;

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'millrace-served-'));
  const path = join(scratch, 'image.qcow2');
  await runProgram('qemu-img', ['create', '-q', '-f', 'qcow2', path, String(3 * mebibyte)], { signal });
  await runProgram('qemu-io', ['-f', 'qcow2', '-c', 'write -P 9 0 256k', path], { signal });
  image = await readFile(path);
  server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (request.url !== '/image.qcow2') response.writeHead(404).end();
    else response.writeHead(200, { 'content-length': image.length }).end(image);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(async () => {
  server.closeAllConnections();
  server.close();
  await rm(scratch, { recursive: true });
});
beforeEach(async () => {
  requests = [];
  directory = await mkdtemp(join(tmpdir(), 'millrace-templates-'));
});
afterEach(() => rm(directory, { recursive: true }));

const sha256 = () => `{SHA-256}${createHash('sha256').update(image).digest('hex')}`;

function paramsWith(given: { checksum?: string; file?: string; pool?: Params['pool'] } = {}): Params {
  const { port } = server.address() as AddressInfo;
  return {
    pool: given.pool ?? { uuid: '0b1d7a52-6f0e-4c4e-8d38-6a3c9b1f2e77', type: 'Filesystem', path: directory },
    installPath: 'tpl.qcow2',
    source: {
      url: `http://127.0.0.1:${port}/${given.file ?? 'image.qcow2'}`,
      headers: {},
      format: 'qcow2',
      ...(given.checksum === undefined ? {} : { checksum: given.checksum }),
    },
    policy: {
      connectTimeoutMs: 10_000,
      stallTimeoutMs: 10_000,
      checksumAttempts: 3,
      maxRedirects: 5,
      maxVirtualSizeBytes: 1 << 30,
      maxTransferBytes: 1 << 30,
      sourceOrder: 'priority',
      egressAllowedCidrs: ['127.0.0.0/8'],
    },
    location: [],
  };
}

const transfers = async () => makeTransfers(await loadImageEngine());
const makePrepare = () =>
  makeTemplatePrepare({ engine: loadImageEngine, transfers, lanes: makeLanes(), log: silentLogger });
const makeContext = (progress: (value: ImageProgressMessage) => void = () => {}) => ({
  id: 'op',
  signal,
  progress,
});

test('a template is fetched, verified and committed; asked again it is reused without moving a byte', async () => {
  const prepare = makePrepare();
  const progress: ImageProgressMessage[] = [];
  const first = await prepare(
    paramsWith({ checksum: sha256() }),
    makeContext((value) => progress.push(value)),
  );
  agentMethods['template.prepare'].result.parse(first);
  assert.equal(first.reused, false);
  assert.equal(first.transferredBytes, image.length);
  assert.equal(first.virtualSizeBytes, 3 * mebibyte);
  assert.equal(first.checksum, sha256());
  assert.deepEqual(await readFile(join(directory, 'tpl.qcow2')), image);
  assert.equal((await stat(join(directory, 'tpl.qcow2'))).mode & 0o777, 0o644);
  assert.equal(progress.at(-1)?.phase, 'committed');
  for (const value of progress) agentMethods['template.prepare'].progress.parse(value);

  requests = [];
  await chmod(join(directory, 'tpl.qcow2'), 0o600);
  const second = await prepare(paramsWith({ checksum: sha256() }), makeContext());
  agentMethods['template.prepare'].result.parse(second);
  assert.deepEqual(
    [second.reused, second.transferredBytes, second.sizeBytes, second.virtualSizeBytes, second.checksum],
    [true, 0, image.length, 3 * mebibyte, sha256()],
  );
  assert.deepEqual(requests, []);
  assert.equal((await stat(join(directory, 'tpl.qcow2'))).mode & 0o777, 0o644, 'every VM can read it again');
});

test('two requests for one template at once cause one transfer', async () => {
  const prepare = makePrepare();
  const results = await Promise.all([1, 2, 3].map(() => prepare(paramsWith(), makeContext())));
  assert.deepEqual(results.map(({ reused }) => reused).toSorted(), [false, true, true]);
  assert.equal(requests.filter((request) => request === 'GET /image.qcow2').length, 1);
});

test('a template that was damaged from outside, and one that is empty, are fetched again', async () => {
  const prepare = makePrepare();
  for (const damage of [
    () => writeFile(join(directory, 'tpl.qcow2'), 'no image'),
    () => truncate(join(directory, 'tpl.qcow2'), 0),
  ]) {
    await prepare(paramsWith(), makeContext());
    await damage();
    assert.equal((await prepare(paramsWith(), makeContext())).reused, false);
    assert.deepEqual(await readFile(join(directory, 'tpl.qcow2')), image);
  }
});

test('a failure carries its class and every attempt, and leaves nothing', async () => {
  const failure = await makePrepare()(
    paramsWith({ checksum: `{MD5}${'0'.repeat(32)}` }),
    makeContext(),
  ).catch((error: unknown) => error);
  const data = failureData.parse(failure);
  assert.equal(data.failureClass, 'next-host');
  assert.equal(data.attempts?.length, 3);
  const received = `{MD5}${createHash('md5').update(image).digest('hex')}`;
  assert.deepEqual(
    data.attempts?.map(({ checksum }) => checksum),
    [received, received, received],
  );
  assert.deepEqual(await readdir(directory), []);
  const malformed = await makePrepare()(paramsWith({ checksum: 'zz' }), makeContext()).catch(
    (error: unknown) => error,
  );
  assert.deepEqual(failureData.parse(malformed), { code: 'CHECKSUM_MALFORMED', failureClass: 'stop' });
});

test('what a killed agent left is removed by the next one before its first transfer', async () => {
  await writeFile(join(directory, '.millrace-partial-other.qcow2'), 'half');
  await makePrepare()(paramsWith(), makeContext());
  assert.deepEqual(await readdir(directory), ['tpl.qcow2']);
});

test('what cannot be removed is not tried again while a transfer may be writing there', async () => {
  let cleanings = 0;
  const engine = async () => ({
    ...(await loadImageEngine()),
    removeStalePartials: async () => {
      cleanings++;
      throw new Error('an input/output error');
    },
  });
  const prepare = makeTemplatePrepare({ engine, transfers, lanes: makeLanes(), log: silentLogger });
  await prepare(paramsWith(), makeContext());
  await prepare({ ...paramsWith(), installPath: 'second.qcow2' }, makeContext());
  assert.equal(cleanings, 1);
});

test('removing a template removes what a killed transfer of it left, too', async () => {
  await writeFile(join(directory, '.millrace-partial-tpl.qcow2'), 'half');
  const params = { pool: paramsWith().pool, installPath: 'tpl.qcow2' };
  await makeTemplateRemove({ lanes: makeLanes() })(params, makeContext());
  assert.deepEqual(await readdir(directory), []);
});

test('a pool that is not mounted is a failure of this host, and is not made', async () => {
  const pool = { ...paramsWith().pool, path: join(directory, 'unmounted') };
  const failure = await makePrepare()(paramsWith({ pool }), makeContext()).catch((error: unknown) => error);
  assert.deepEqual(failureData.parse(failure), { code: 'POOL_UNAVAILABLE', failureClass: 'next-host' });
  assert.deepEqual(await readdir(directory), []);
});

test('check sees a template come and go; removing it twice is fine', async () => {
  const check = makeTemplateCheck();
  const remove = makeTemplateRemove({ lanes: makeLanes() });
  const params = { pool: paramsWith().pool, installPath: 'tpl.qcow2' };
  const context = makeContext();
  assert.deepEqual(await check(params, context), { present: false });
  await makePrepare()(paramsWith(), context);
  assert.deepEqual(await check(params, context), { present: true, sizeBytes: image.length });
  await remove(params, context);
  await remove(params, context);
  assert.deepEqual(await check(params, context), { present: false });
});

test('a probe tells format, sizes and the digest that will be verified, and why a source is unusable', async () => {
  const probe = makeImageProbe({ engine: loadImageEngine, log: silentLogger });
  const { source, policy, location } = paramsWith({ checksum: sha256() });
  const report = await probe({ source, policy, location }, makeContext() as never);
  agentMethods['image.probe'].result.parse(report);
  assert.equal(report.usable, true);
  assert.equal(report.format, 'qcow2');
  assert.equal(report.virtualSizeBytes, 3 * mebibyte);
  assert.equal(report.checksum, sha256());

  const missing = paramsWith({ file: 'missing' });
  const bad = await probe({ source: missing.source, policy, location }, makeContext() as never);
  agentMethods['image.probe'].result.parse(bad);
  assert.equal(bad.usable, false);
  assert.equal(bad.sources[0]?.reason, 'HTTP_NOT_FOUND');
});

test('an image that is on the pool under another name is given this one, too, without moving a byte', async () => {
  await makePrepare()({ ...paramsWith(), installPath: 'first.qcow2' }, makeContext());
  requests = [];
  const params = { ...paramsWith({ checksum: sha256() }), same: 'first.qcow2' };
  const result = await makePrepare()(params, makeContext());
  agentMethods['template.prepare'].result.parse(result);
  assert.deepEqual(
    [result.reused, result.transferredBytes, result.checksum, result.virtualSizeBytes],
    [true, 0, sha256(), 3 * mebibyte],
  );
  assert.ok(result.linked);
  assert.deepEqual(requests, []);
  const { pool } = params;
  await makeTemplateRemove({ lanes: makeLanes() })({ pool, installPath: 'first.qcow2' }, makeContext());
  assert.deepEqual(await readFile(join(directory, 'tpl.qcow2')), image, 'it outlives the other name');
  assert.deepEqual(await readdir(directory), ['tpl.qcow2']);
});

test('an image that is not there any more, or unreadable, under the other name is fetched', async () => {
  const params = { ...paramsWith({ checksum: sha256() }), same: 'first.qcow2' };
  for (const before of [async () => {}, () => writeFile(join(directory, 'first.qcow2'), 'no image')]) {
    await before();
    const result = await makePrepare()(params, makeContext());
    assert.deepEqual(
      [result.reused, result.linked, result.transferredBytes],
      [false, undefined, image.length],
    );
    await rm(join(directory, 'tpl.qcow2'));
  }
  assert.equal(
    await readFile(join(directory, 'first.qcow2'), 'utf8'),
    'no image',
    'the other one is not ours',
  );
});

test('partial transfers that nobody owns are removed after an hour, those under way never', async () => {
  const clean = makePoolClean({ engine: loadImageEngine });
  const partial = async (name: string, hours: number) => {
    const then = new Date(Date.now() - hours * 3600_000 - 60_000);
    for (const file of [`.millrace-partial-${name}`, `.millrace-partial-${name}.segments`]) {
      await writeFile(join(directory, file), 'half');
      await utimes(join(directory, file), then, then);
    }
  };
  await partial('nobody-new.qcow2', 0);
  await partial('nobody-old.qcow2', 1);
  await partial('failed-new.qcow2', 23);
  await partial('failed-old.qcow2', 24);
  await partial('running.qcow2.packed', 100);
  await writeFile(join(directory, 'nobody.qcow2'), 'whole');
  const result = await clean(
    {
      pool: paramsWith().pool,
      owned: [
        { name: 'failed', underWay: false },
        { name: 'running', underWay: true },
      ],
    },
    makeContext() as never,
  );
  agentMethods['pool.clean'].result.parse(result);
  assert.deepEqual(result.removed.toSorted(), [
    '.millrace-partial-failed-old.qcow2',
    '.millrace-partial-nobody-old.qcow2',
  ]);
  assert.deepEqual((await readdir(directory)).filter((name) => !name.endsWith('.segments')).toSorted(), [
    '.millrace-partial-failed-new.qcow2',
    '.millrace-partial-nobody-new.qcow2',
    '.millrace-partial-running.qcow2.packed',
    'nobody.qcow2',
  ]);
});

test('a partial transfer that somebody has locked stays, whatever its age', async () => {
  const path = join(directory, '.millrace-partial-old.qcow2');
  await writeFile(path, 'half');
  const then = new Date(0);
  await utimes(path, then, then);
  const clean = makePoolClean({ engine: loadImageEngine });
  const params = { pool: paramsWith().pool, owned: [] };
  const holder = spawnProgram('flock', ['--exclusive', path, 'sh', '-c', 'echo locked; cat'], {
    signal,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(holder.stdout!, 'data');
  assert.deepEqual(await clean(params, makeContext() as never), { removed: [] });
  const ended = once(holder, 'exit');
  holder.stdin!.end();
  await ended;
  assert.equal((await clean(params, makeContext() as never)).removed.length, 1);
});
