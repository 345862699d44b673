import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runProgram, sleep } from '@millrace/core';
import { type BadWebServer, startBadWebServer } from '../servers/bad-web-server.ts';
import {
  type Instance,
  type JobAnswer,
  makeDataDirectory,
  resetInstance,
  startInstance,
} from './instance.ts';

/**
 * A whole instance, and the world around it at its worst: processes killed, mirrors that lie, images that attack, a pool
 * that is full. Every row ends with the right answer and a pool that holds what it should and nothing else.
 */

const { signal } = new AbortController();
const imageBytes = 6 * 1024 * 1024;

let dataDir: string;
let work: string;
let instance: Instance;
let server: BadWebServer;
let closedPort: number;
let zoneid: string;
let offering: string;
const files: Record<string, Buffer> = {};
let count = 0;

before(async () => {
  work = await mkdtemp(join(tmpdir(), 'millrace-faults-'));
  await makeImages();
  const closed = await startBadWebServer();
  closedPort = closed.port;
  await closed.close();
  server = await startBadWebServer({ files });
  dataDir = await makeDataDirectory();
  instance = await startInstance(dataDir);
  for (const [name, value] of [
    ['direct.download.egress.allowed.cidrs', '127.0.0.0/8'],
    ['direct.download.stall.timeout', '2000'],
    ['direct.download.connect.timeout', '2000'],
  ]) {
    await instance.api.call('updateConfiguration', { name: name!, value: value! });
  }
  zoneid = String((await instance.api.list('listZones'))[0]!['id']);
  offering = String((await instance.api.list('listServiceOfferings'))[0]!['id']);
});

after(async () => {
  await instance?.stop();
  await server?.close();
  if (dataDir) await resetInstance(dataDir);
  if (work) await rm(work, { recursive: true, force: true });
});

async function qemuImg(...argv: string[]): Promise<void> {
  await runProgram('qemu-img', argv, { signal: AbortSignal.timeout(60_000) });
}

/** A sound image that no compression shortens, and hostile ones, each made by the real tool. */
async function makeImages(): Promise<void> {
  const raw = join(work, 'disk.raw');
  await writeFile(raw, randomBytes(imageBytes));
  const load = async (name: string) => {
    files[name] = await readFile(join(work, name));
  };
  await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, join(work, 'good.qcow2'));
  await load('good.qcow2');
  await qemuImg(
    'create',
    '-f',
    'qcow2',
    '-b',
    '/etc/passwd',
    '-F',
    'raw',
    '-u',
    join(work, 'backing.qcow2'),
    '1M',
  );
  await load('backing.qcow2');
  await qemuImg(
    'create',
    '-f',
    'qcow2',
    '-o',
    `data_file=${join(work, 'data.raw')}`,
    join(work, 'datafile.qcow2'),
    '1M',
  );
  await load('datafile.qcow2');
  await qemuImg('create', '-f', 'qcow2', join(work, 'huge.qcow2'), '50T');
  await load('huge.qcow2');
  files['raw.qcow2'] = randomBytes(512 * 1024);
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const url = (path: string) => `http://127.0.0.1:${server.port}${path}`;

/** Puts a metalink (v4) of these URLs, best first, on the server. @returns its URL */
function metalink(urls: readonly string[], digest?: string): string {
  count += 1;
  const name = `list-${count}.meta4`;
  const hash = digest ? `<hash type="sha-256">${digest}</hash>` : '';
  const list = urls.map((each, index) => `<url priority="${index + 1}">${each}</url>`).join('');
  server.setFile(
    name,
    Buffer.from(
      `<?xml version="1.0" encoding="UTF-8"?><metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="good.qcow2">${hash}${list}</file></metalink>`,
    ),
  );
  return url(`/ok/${name}`);
}

async function register(source: string, more: Record<string, string> = {}): Promise<string> {
  count += 1;
  const answer = await instance.api.call('registerTemplate', {
    name: `template-${count}`,
    displaytext: 'fault test',
    format: 'QCOW2',
    hypervisor: 'KVM',
    directdownload: 'true',
    url: source,
    zoneid,
    ...more,
  });
  return String((answer['template'] as { id: string }[])[0]!.id);
}

async function startDeployment(templateid: string): Promise<{ id: string; jobid: string }> {
  count += 1;
  const answer = await instance.api.call('deployVirtualMachine', {
    zoneid,
    templateid,
    serviceofferingid: offering,
    name: `vm-${count}`,
    startvm: 'false',
  });
  return { id: String(answer['id']), jobid: String(answer['jobid']) };
}

async function deploy(templateid: string): Promise<JobAnswer & { vmId: string }> {
  const { id, jobid } = await startDeployment(templateid);
  return { ...(await instance.api.job(jobid)), vmId: id };
}

async function stateOf(vmId: string): Promise<unknown> {
  return (await instance.api.list('listVirtualMachines', { id: vmId }))[0]?.['state'];
}

/** Names in the pool: hidden ones too, since partial files are hidden. */
const poolContent = async () => (await readdir(instance.pool)).sort();

const sourcesOf = (job: JobAnswer) => (job.jobattempts ?? []).flatMap((attempt) => attempt.sources);

/** Waits until a pending job reports transferred bytes: the moment to kill something. */
async function untilTransferring(jobid: string): Promise<void> {
  for (let waited = 0; waited < 60_000; waited += 50) {
    const job = (await instance.api.call('queryAsyncJobResult', { jobid })) as unknown as JobAnswer;
    assert.equal(job.jobstatus, 0, `the job ended before it could be disturbed: ${JSON.stringify(job)}`);
    assert.equal(job.jobresult, undefined, 'jobresult is absent while the job is pending');
    if ((job.jobprogress?.bytes ?? 0) > 0) return;
    await sleep(50, signal);
  }
  throw new Error('the transfer never began');
}

async function assertWholeCopy(templateId: string): Promise<void> {
  const copies = (await poolContent()).filter((name) => name.startsWith(templateId));
  assert.equal(copies.length, 1, `one copy of ${templateId} in the pool`);
  assert.equal(sha256(await readFile(join(instance.pool, copies[0]!))), sha256(files['good.qcow2']!));
}

const brokenMirrors: { fault: string; path: () => string; reason: RegExp }[] = [
  { fault: 'is dead', path: () => `http://127.0.0.1:${closedPort}/good.qcow2`, reason: /^CONNECT_REFUSED$/ },
  { fault: 'answers 404', path: () => url('/404/good.qcow2'), reason: /^HTTP_NOT_FOUND$/ },
  {
    fault: 'resets the connection',
    path: () => url('/reset-at-50/good.qcow2'),
    reason: /^(CONNECTION_RESET|TRANSFER_CUT)$/,
  },
  { fault: 'stalls', path: () => url('/stall-at-50/good.qcow2'), reason: /^TRANSFER_STALLED$/ },
  { fault: 'sends too little', path: () => url('/short/good.qcow2'), reason: /^TRANSFER_CUT$/ },
  {
    fault: 'sends too much',
    path: () => url('/long/good.qcow2'),
    reason: /^(LENGTH_TOO_LONG|DIGEST_MISMATCH)$/,
  },
  { fault: 'sends wrong bytes', path: () => url('/corrupt/good.qcow2'), reason: /^DIGEST_MISMATCH$/ },
];

for (const { fault, path, reason } of brokenMirrors) {
  test(`a first mirror that ${fault} is recorded, and the next one serves the image`, async () => {
    const digest = sha256(files['good.qcow2']!);
    const template = await register(metalink([path(), url('/ok/good.qcow2')], digest));
    const job = await deploy(template);
    assert.equal(job.jobstatus, 1, JSON.stringify(job));
    const sources = sourcesOf(job);
    assert.equal(sources.at(-1)!.state, 'succeeded');
    assert.match(sources.at(-1)!.url, /\/ok\/good/);
    assert.equal(sources[0]!.state, 'failed');
    assert.match(String(sources[0]!.reason), reason);
    await assertWholeCopy(template);
  });
}

test('a wrong checksum is tried three times, every attempt is named, the VM is in Error and the pool holds nothing of it', async () => {
  const before = await poolContent();
  const template = await register(url('/ok/good.qcow2'), { checksum: `{SHA-256}${'0'.repeat(64)}` });
  const job = await deploy(template);
  assert.equal(job.jobstatus, 2);
  assert.deepEqual(
    sourcesOf(job).map(({ checksumattempt, state }) => ({ checksumattempt, state })),
    [1, 2, 3].map((checksumattempt) => ({ checksumattempt, state: 'failed' })),
  );
  assert.match(String(job.jobresult?.errortext), /checksum|digest/i);
  assert.equal(
    (String(job.jobresult?.errortext).match(/good\.qcow2/g) ?? []).length >= 3,
    true,
    String(job.jobresult?.errortext),
  );
  assert.equal(await stateOf(job.vmId), 'Error');
  assert.deepEqual(await poolContent(), before);
});

test('ten deployments of a template that no pool holds cause one transfer', async () => {
  const template = await register(url('/slow/good.qcow2?rate=4000000'));
  const sentBefore = transfersOf('/slow/good.qcow2');
  const started = await Promise.all(Array.from({ length: 10 }, () => startDeployment(template)));
  const waiting = new Set<string>();
  const jobs = await Promise.all(
    started.map(async ({ jobid }) => {
      for (;;) {
        const job = (await instance.api.call('queryAsyncJobResult', { jobid })) as unknown as JobAnswer;
        if (job.jobstatus !== 0) return job;
        if (job.jobprogress?.phase === 'waiting-for-transfer' && (job.jobprogress.bytes ?? 0) > 0)
          waiting.add(jobid);
        await sleep(150, signal);
      }
    }),
  );
  assert.deepEqual(
    jobs.map(({ jobstatus }) => jobstatus),
    Array(10).fill(1),
    JSON.stringify(jobs.filter(({ jobstatus }) => jobstatus !== 1)),
  );
  assert.equal(transfersOf('/slow/good.qcow2') - sentBefore, 1);
  assert.ok(waiting.size >= 1, 'those who wait see the bytes of the one transfer');
  await assertWholeCopy(template);
});

/** Transfers begun: each asks for the first MiB once, and a probe for 64 KiB. */
function transfersOf(path: string): number {
  const begins = (range: string | undefined) => range === undefined || range === 'bytes=0-1048575';
  return server
    .requests()
    .filter((request) => request.path.startsWith(path) && begins(request.headers['range'])).length;
}

test('a copy whose file has vanished is fetched again', async () => {
  const template = await register(url('/ok/good.qcow2'));
  assert.equal((await deploy(template)).jobstatus, 1);
  assert.deepEqual(sourcesOf(await deploy(template)), [], 'the copy is used');
  const [copy] = (await poolContent()).filter((name) => name.startsWith(template));
  await unlink(join(instance.pool, copy!));
  const again = await deploy(template);
  assert.equal(again.jobstatus, 1, JSON.stringify(again));
  assert.equal(sourcesOf(again).length, 1);
  await assertWholeCopy(template);
});

const hostile: { what: string; file: string; says: RegExp }[] = [
  { what: 'a qcow2 with a backing file', file: 'backing.qcow2', says: /backing file/i },
  { what: 'a qcow2 with an external data file', file: 'datafile.qcow2', says: /external file/i },
  { what: 'raw bytes declared as qcow2', file: 'raw.qcow2', says: /qcow2|format/i },
  { what: 'a virtual size over the limit', file: 'huge.qcow2', says: /virtual size|limit|larger/i },
];

for (const { what, file, says } of hostile) {
  test(`${what} is refused at registration`, async () => {
    await assert.rejects(register(url(`/ok/${file}`)), says);
  });

  test(`${what} that shows itself only at deployment is refused, never retried, and never visible`, async () => {
    const before = await poolContent();
    const name = `changing-${file}`;
    server.setFile(name, files['good.qcow2']!);
    const template = await register(url(`/ok/${name}`));
    server.setFile(name, files[file]!);
    const job = await deploy(template);
    assert.equal(job.jobstatus, 2, JSON.stringify(job));
    assert.match(String(job.jobresult?.errortext), says);
    assert.equal(sourcesOf(job).length, 1, JSON.stringify(job.jobattempts));
    assert.equal(job.jobattempts!.length, 1);
    assert.deepEqual(await poolContent(), before);
  });
}

test('a pool without space fails with figures and keeps nothing', async () => {
  const template = await register(url('/ok/good.qcow2'));
  await runProgram('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', instance.pool], {
    signal: AbortSignal.timeout(5_000),
  });
  try {
    const job = await deploy(template);
    assert.equal(job.jobstatus, 2);
    assert.match(String(job.jobresult?.errortext), /space|full/i);
    assert.match(String(job.jobresult?.errortext), /\d/);
    assert.deepEqual(await poolContent(), []);
  } finally {
    await runProgram('umount', [instance.pool], { signal: AbortSignal.timeout(5_000) });
  }
});

const victims: { parts: ('server' | 'agent' | 'postgres')[]; name: string }[] = [
  { parts: ['server'], name: 'the server' },
  { parts: ['agent'], name: 'the agent' },
  { parts: ['server', 'agent'], name: 'server and agent at once' },
  { parts: ['postgres'], name: 'PostgreSQL' },
];

for (const { parts, name } of victims) {
  test(`kill -9 of ${name} during a download: the job goes on and ends well`, async () => {
    const template = await register(url('/slow/good.qcow2?rate=1500000'));
    const { jobid, id } = await startDeployment(template);
    await untilTransferring(jobid);
    const pids = await Promise.all(parts.map((part) => instance.pidOf(part)));
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    const job = await instance.api.job(jobid);
    assert.equal(job.jobstatus, 1, JSON.stringify(job));
    assert.equal(await stateOf(id), 'Stopped');
    await assertWholeCopy(template);
    assert.deepEqual(
      (await poolContent()).filter((entry) => entry.startsWith('.')),
      [],
      'no partial file is left',
    );
  });
}

test('kill -9 of PostgreSQL loses no acknowledged call', async () => {
  const acknowledged: string[] = [];
  let failures = 0;
  let killed = false;
  const deadline = Date.now() + 60_000;
  while (acknowledged.length < 60 && Date.now() < deadline) {
    if (acknowledged.length === 20 && !killed) {
      killed = true;
      process.kill(await instance.pidOf('postgres'), 'SIGKILL');
    }
    try {
      acknowledged.push(await register(url('/ok/good.qcow2')));
    } catch {
      failures += 1;
      await sleep(100, signal);
    }
  }
  assert.equal(acknowledged.length, 60, `${failures} calls failed`);
  const listed = new Set(
    (await instance.api.list('listTemplates', { templatefilter: 'all', pagesize: '500' })).map(
      (row) => row['id'],
    ),
  );
  assert.deepEqual(
    acknowledged.filter((id) => !listed.has(id)),
    [],
  );
});

const badInput: {
  what: string;
  command: string;
  params: Record<string, string>;
  code: number;
  names: RegExp;
}[] = [
  {
    what: 'a missing parameter',
    command: 'deployVirtualMachine',
    params: {},
    code: 431,
    names: /missing parameter (serviceofferingid|templateid|zoneid)/,
  },
  {
    what: 'a malformed UUID',
    command: 'startVirtualMachine',
    params: { id: 'x' },
    code: 431,
    names: /\bid\b/,
  },
  {
    what: 'an entity that does not exist',
    command: 'startVirtualMachine',
    params: { id: '00000000-0000-4000-8000-000000000000' },
    code: 431,
    names: /entity does not exist/,
  },
  { what: 'an unknown command', command: 'makeCoffee', params: {}, code: 432, names: /makeCoffee/i },
  {
    what: 'a setting out of range',
    command: 'updateConfiguration',
    params: { name: 'direct.download.checksum.attempts', value: 'many' },
    code: 431,
    names: /value|direct\.download\.checksum\.attempts/,
  },
];

for (const { what, command, params, code, names } of badInput) {
  test(`${what} is answered with ${code} and changes nothing`, async () => {
    const before = await snapshot();
    await assert.rejects(instance.api.call(command, params), (error: Error & { errorcode?: number }) => {
      assert.equal(error.errorcode, code);
      assert.match(error.message, names);
      return true;
    });
    assert.deepEqual(await snapshot(), before);
  });
}

async function snapshot(): Promise<unknown> {
  const [vms, templates, settings] = await Promise.all([
    instance.api.list('listVirtualMachines', { pagesize: '500' }),
    instance.api.list('listTemplates', { templatefilter: 'all', pagesize: '500' }),
    instance.api.list('listConfigurations', { pagesize: '500' }),
  ]);
  return {
    vms: vms.map(({ id, state }) => ({ id, state })),
    templates: templates.map(({ id }) => id),
    settings: settings.map(({ name, value }) => ({ name, value })),
  };
}
