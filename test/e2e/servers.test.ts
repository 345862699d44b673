import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep, spawnProgram } from '@millrace/core';
import { microGuestLines } from '../fixtures/micro-guest.ts';
import { labAddress } from '../lab/lab-host.ts';
import type { Api } from './instance.ts';
import { type LabCloud, startLabCloud, until } from './lab-cloud.ts';

/** Two management servers of one database, and a host that knows both: what happens when one of them dies. */

const main = fileURLToPath(new URL('../../apps/server/src/main.ts', import.meta.url));
const { signal } = new AbortController();
let cloud: LabCloud;
let dataDir: string;
let second: ChildProcess;
let api: Api;

before(async () => {
  cloud = await startLabCloud();
  dataDir = await mkdtemp(join(tmpdir(), 'millrace-second-'));
  second = await startSecond();
  api = await cloud.instance.apiAt('http://127.0.0.1:8081/client/api');
  await cloud.addHost(11, [`https://${labAddress}:8251`]);
});
after(async () => {
  second?.kill('SIGKILL');
  await cloud?.[Symbol.asyncDispose]();
  if (dataDir) await rm(dataDir, { recursive: true, force: true });
});

/** Where the first server's database is, and the key of its secrets: only its own environment tells. */
async function databaseOfFirst(): Promise<{ url: string; keyFile: string }> {
  const environment = await readFile(`/proc/${await cloud.instance.pidOf('server')}/environ`, 'utf8');
  return {
    url: /DATABASE_URL=([^\0]+)/.exec(environment)![1]!,
    keyFile: join(/MILLRACE_DATA_DIR=([^\0]+)/.exec(environment)![1]!, 'secret.key'),
  };
}

async function startSecond(): Promise<ChildProcess> {
  const { url, keyFile } = await databaseOfFirst();
  const child = spawnProgram(process.execPath, [main], {
    signal,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      MILLRACE_DATA_DIR: dataDir,
      DATABASE_URL: url,
      MILLRACE_SECRET_KEY_FILE: keyFile,
      MILLRACE_API_PORT: '8081',
      MILLRACE_AGENT_HOST: '0.0.0.0',
      MILLRACE_AGENT_PORT: '8251',
    },
  });
  const ready = Promise.withResolvers<void>();
  child.once('exit', (code) => ready.reject(new Error(`the second server ended with ${code}`)));
  void (async () => {
    for await (const line of createInterface({ input: child.stdout! }))
      if (line.includes('"ready":true')) ready.resolve();
  })();
  await ready.promise;
  return child;
}

/** Sends the first half of an image at once, and the rest when `release` is called. */
function holdBack(): {
  readonly begun: Promise<void>;
  readonly release: () => void;
  readonly asked: () => number;
} {
  const begun = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let asked = 0;
  const half = cloud.image.length / 2;
  cloud.misbehave = (_, response) => {
    asked++;
    response.writeHead(200, { 'content-length': cloud.image.length }).write(cloud.image.subarray(0, half));
    begun.resolve();
    void gate.promise.then(() => response.end(cloud.image.subarray(half)));
    return true;
  };
  return { begun: begun.promise, release: gate.resolve, asked: () => asked };
}

test('a host is connected to both servers, and each of them reaches it', async () => {
  // the first server can do nothing: whoever works now is the second
  const first = await cloud.instance.pidOf('server');
  const template = await cloud.newTemplate();
  process.kill(first, 'SIGSTOP');
  try {
    const job = await api.run('deployVirtualMachine', cloud.deployment(template, 'by-second'));
    assert.equal(job.jobstatus, 1, JSON.stringify(job));
    const { id } = job.jobresult!['virtualmachine'] as { id: string };
    await until('the guest’s line', 60_000, async () => {
      const answer = await api.call('getVirtualMachineConsoleOutput', { id });
      return JSON.stringify(answer).includes(microGuestLines.up(1, 'lab')) ? true : undefined;
    });
  } finally {
    process.kill(first, 'SIGCONT');
  }
});

test('the server that runs a deployment is killed in the middle of its transfer: the other goes on with it', async () => {
  const first = await cloud.instance.pidOf('server');
  const template = await cloud.newTemplate();
  const held = holdBack();
  process.kill(first, 'SIGSTOP');
  const { jobid } = await api.call('deployVirtualMachine', cloud.deployment(template, 'survivor'));
  await held.begun;
  const killedAt = performance.now();
  second.kill('SIGKILL');
  await once(second, 'exit');
  process.kill(first, 'SIGCONT');
  await sleep(500, signal);
  held.release();
  const job = await cloud.instance.api.job(String(jobid));
  const tookMs = performance.now() - killedAt;
  cloud.misbehave = undefined;
  assert.equal(job.jobstatus, 1, JSON.stringify(job));
  assert.equal(job.jobattempts?.length, 1, 'the same host, the same transfer');
  assert.equal(held.asked(), 1, 'not a byte was asked for again');
  assert.ok(tookMs < 30_000, `${Math.round(tookMs)} ms after the kill`);
  const { id } = job.jobresult!['virtualmachine'] as { id: string };
  await cloud.untilGuestSays(id, microGuestLines.up(1, 'lab'));
  second = await startSecond();
});

test('a guest that powers itself off is seen by the server that is left', async () => {
  second.kill('SIGKILL');
  await once(second, 'exit');
  const [vm] = await cloud.instance.api.list('listVirtualMachines', { name: 'survivor' });
  const [host] = cloud.hosts;
  const began = performance.now();
  await host!.run('virsh', ['-c', 'qemu:///system', 'destroy', String(vm!['instancename'])]);
  await until('the instance is Stopped', 20_000, async () => {
    const [row] = await cloud.instance.api.list('listVirtualMachines', { id: String(vm!['id']) });
    return row!['state'] === 'Stopped' ? true : undefined;
  });
  assert.ok(performance.now() - began < 5000);
  assert.equal((await cloud.hostNamed(host!.name))!['state'], 'Up', 'a lost server is no lost host');
});
