import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleep } from '@millrace/core';
import { createAuthority, issueServerCertificate } from '../../apps/server/src/agents/certificate-signer.ts';
import { microGuestLines } from '../fixtures/micro-guest.ts';
import { type LabHost, labAddress } from '../lab/lab-host.ts';
import { addressOf, type LabCloud, startLabCloud, until } from './lab-cloud.ts';

/**
 * Several real hosts, each with its own libvirt, joined by the commands that an operator would use: what a deployment does
 * when hosts, sources and networks fail. Tests in order.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));
const { signal } = new AbortController();
let cloud: LabCloud;

before(async () => {
  cloud = await startLabCloud();
});
after(() => cloud?.[Symbol.asyncDispose]());

async function poolFiles(host: LabHost): Promise<string[]> {
  return readdir(join(host.directory, 'pool'));
}

test('three machines become hosts by addHost on the server and millrace agent join on each', async () => {
  for (const number of [11, 12, 13]) {
    const host = await cloud.addHost(number);
    assert.equal((await cloud.hostNamed(host.name))!['ipaddress'], host.address);
  }
  assert.equal((await cloud.instance.api.list('listHosts', { state: 'Up' })).length, 4);
});

test('a host that has joined says so, and joins no second time', async () => {
  const [host] = cloud.hosts;
  const environment = cloud.agentEnvironment(host!);
  const { stdout } = await host!.run(join(root, 'bin/millrace'), ['agent', 'check'], environment);
  assert.match(stdout, /This host has joined as/);
  assert.match(stdout, /✔ server +https:\/\/10\.99\.0\.254:8250 answers/);
  await assert.rejects(
    host!.run(
      join(root, 'bin/millrace'),
      ['agent', 'join', 'https://10.99.0.254:8250', '--token', 'x'],
      environment,
    ),
    /is a host already/,
  );
});

test('a deployment goes on to the third host when the source answers only that one: each is tried once', async () => {
  const template = await cloud.newTemplate();
  const allowed = cloud.hosts[2]!;
  cloud.misbehave = (request, response) => {
    if (addressOf(request) === allowed.address) return false;
    response.writeHead(403).end();
    return true;
  };
  const job = await cloud.instance.api.run('deployVirtualMachine', cloud.deployment(template, 'third'));
  cloud.misbehave = undefined;
  assert.equal(job.jobstatus, 1, JSON.stringify(job));
  const attempts = job.jobattempts ?? [];
  assert.equal(attempts.at(-1)?.host, allowed.name);
  assert.equal(new Set(attempts.map(({ host }) => host)).size, attempts.length, 'no host twice');
  for (const { host, sources, next } of attempts.slice(0, -1)) {
    assert.equal(next, 'next-host', host);
    assert.equal(sources[0]?.reason, 'HTTP_DENIED');
  }
  const { id } = job.jobresult!['virtualmachine'] as { id: string };
  await cloud.untilGuestSays(id, microGuestLines.up(1, 'lab'));
  for (const host of cloud.hosts.slice(0, 2))
    assert.deepEqual(await poolFiles(host), [], 'nothing left behind');
});

test('every host refused: each was tried once, the job says why, and nothing is left', async () => {
  const template = await cloud.newTemplate();
  cloud.misbehave = (_, response) => {
    response.writeHead(404).end();
    return true;
  };
  const job = await cloud.instance.api.run('deployVirtualMachine', cloud.deployment(template, 'nowhere'));
  cloud.misbehave = undefined;
  assert.equal(job.jobstatus, 2);
  assert.deepEqual(
    (job.jobattempts ?? []).map(({ host }) => host).toSorted(),
    cloud.hosts.map(({ name }) => name),
  );
  assert.match(job.jobresult!.errortext ?? '', /3 attempt\(s\).*kvm-11.*kvm-13/s);
  const [vm] = await cloud.instance.api.list('listVirtualMachines', { name: 'nowhere' });
  assert.equal(vm!['state'], 'Error');
});

test('an https source with a CA of its own is trusted after the upload of its certificate, and no more after the revoke', async () => {
  const authority = await createAuthority('Images of ours');
  const { key, certificate } = await issueServerCertificate(authority, [labAddress]);
  const server = createServer({ key, cert: certificate }, (_, response) => {
    response.writeHead(200, { 'content-length': cloud.image.length }).end(cloud.image);
  });
  server.listen(0, labAddress);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const { api } = cloud.instance;
  const register = (name: string) =>
    api.list('registerTemplate', {
      name,
      displaytext: name,
      url: `https://${labAddress}:${port}/${name}.qcow2`,
      format: 'QCOW2',
      hypervisor: 'KVM',
      zoneid: cloud.zoneid,
    });
  try {
    await assert.rejects(register('too-early'), /TLS|certificate/i);
    await api.call('uploadTemplateDirectDownloadCertificate', {
      name: 'ours',
      hypervisor: 'KVM',
      zoneid: cloud.zoneid,
      certificate: authority.certificate,
    });
    const [template] = await register('trusted');
    const job = await api.run('deployVirtualMachine', cloud.deployment(String(template!['id']), 'trusted'));
    assert.equal(job.jobstatus, 1, JSON.stringify(job));
    await api.call('revokeTemplateDirectDownloadCertificate', { zoneid: cloud.zoneid, name: 'ours' });
    await assert.rejects(register('too-late'), /TLS|certificate/i);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('a host that loses its power in the middle of a transfer is passed over, and comes back', async () => {
  const template = await cloud.newTemplate();
  let stuck: string | undefined;
  cloud.misbehave = (request, response) => {
    const from = addressOf(request);
    if (stuck !== undefined && from !== stuck) return false;
    stuck = from;
    // half of it, and then nothing more
    response
      .writeHead(200, { 'content-length': cloud.image.length })
      .write(cloud.image.subarray(0, cloud.image.length / 2));
    return true;
  };
  const { jobid } = await cloud.instance.api.call(
    'deployVirtualMachine',
    cloud.deployment(template, 'survivor'),
  );
  const victim = await until('a transfer has begun', 30_000, async () =>
    cloud.hosts.find(({ address }) => address === stuck),
  );
  await cloud.lose(victim);
  const job = await cloud.instance.api.job(String(jobid));
  cloud.misbehave = undefined;
  assert.equal(job.jobstatus, 1, JSON.stringify(job));
  assert.deepEqual(
    job.jobattempts?.map(({ host, state, reason }) => [host === victim.name, state, reason]),
    [
      [true, 'failed', 'AGENT_UNAVAILABLE'],
      [false, 'succeeded', undefined],
    ],
  );
  await cloud.untilHostIs(victim.name, 'Alert');
});

test('a network that is cut for a moment costs nothing: the operation is joined again', async () => {
  const template = await cloud.newTemplate();
  const [chosen] = cloud.hosts;
  const hostid = String((await cloud.hostNamed(chosen!.name))!['id']);
  let cutting: Promise<void> | undefined;
  cloud.misbehave = (_, response) => {
    response
      .writeHead(200, { 'content-length': cloud.image.length })
      .write(cloud.image.subarray(0, 1024 ** 2));
    // the transfer itself is served on: only the way to the server is gone for two seconds
    setTimeout(() => response.end(cloud.image.subarray(1024 ** 2)), 3000);
    cutting ??= chosen!
      .cut()
      .then(() => sleep(2000, signal))
      .then(() => chosen!.mend());
    return true;
  };
  const job = await cloud.instance.api.run('deployVirtualMachine', {
    ...cloud.deployment(template, 'cut'),
    hostid,
  });
  cloud.misbehave = undefined;
  await cutting;
  assert.equal(job.jobstatus, 1, JSON.stringify(job));
  assert.deepEqual(
    job.jobattempts?.map(({ host, state }) => [host, state]),
    [[chosen!.name, 'succeeded']],
  );
});
