import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { sleep } from '@millrace/core';
import { microGuestLines } from '../fixtures/micro-guest.ts';
import type { Api } from './instance.ts';
import { type LabCloud, startLabCloud, until } from './lab-cloud.ts';
import { databaseOfFirst, secondServer, startSecondServer } from './second-server.ts';

/** Two management servers of one database, and a host that knows both: what happens when one of them dies. */

const { signal } = new AbortController();
let cloud: LabCloud;
let dataDir: string;
let second: ChildProcess;
let api: Api;

before(async () => {
  cloud = await startLabCloud();
  dataDir = await mkdtemp(join(tmpdir(), 'millrace-second-'));
  second = await startSecond();
  api = await cloud.instance.apiAt(secondServer.api);
  await cloud.addHost(11, [secondServer.agents]);
});
after(async () => {
  second?.kill('SIGKILL');
  await cloud?.[Symbol.asyncDispose]();
  if (dataDir) await rm(dataDir, { recursive: true, force: true });
});

const startSecond = async () => startSecondServer(await databaseOfFirst(cloud.instance), dataDir);

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
