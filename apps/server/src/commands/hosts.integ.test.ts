import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openSharedAuthority } from '../agents/certificate-authority.ts';
import { joinHost } from '../agents/join-host.ts';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addHost, type Params, rows, withTestApi } from '../http/testing/test-api.ts';

async function withInfrastructure(t: TestContext) {
  const api = await withTestApi(t);
  const directory = await mkdtemp(join(tmpdir(), 'millrace-authority-'));
  t.after(() => rm(directory, { recursive: true }));
  const authority = await openSharedAuthority(api.database, directory);
  const [pod] = rows(await api.call('listPods'));
  const add = (params: Params = {}) =>
    api.call('addHost', {
      zoneid: api.ids.zoneId,
      podid: String(pod!['id']),
      hypervisor: 'KVM',
      url: 'http://kvm-7.example',
      ...params,
    });
  return { ...api, authority, add };
}

/** A certificate request as an agent makes it. */
async function request() {
  const { makeCertificateRequest } = await import('../agents/testing/agent-client.ts');
  return (await makeCertificateRequest()).pem;
}

test('addHost answers with the command that makes the machine this host, once', async (t) => {
  const api = await withInfrastructure(t);
  const answer = await api.add({ username: 'root', password: 'secret', allocationstate: 'Disabled' });
  assert.equal(answer.status, 200, answer.text);
  const [host] = rows(answer);
  assert.deepEqual(
    [host!['name'], host!['state'], host!['resourcestate'], host!['clustername']],
    ['kvm-7.example', 'Connecting', 'Disabled', 'Cluster1'],
  );
  const token = String(host!['jointoken']);
  assert.equal(host!['joincommand'], `millrace agent join https://127.0.0.1:0 --token ${token}`);
  assert.doesNotMatch(JSON.stringify(rows(await api.call('listHosts', {}))), /mlr1/, 'told once');

  const joined = await joinHost(
    api,
    { token, hostName: 'kvm-7', certificateRequest: await request() },
    new Date(),
  );
  assert.equal(joined.hostUuid, host!['id']);
  assert.equal(rows(await api.call('listHosts', {})).length, 1);
  await assert.rejects(
    joinHost(api, { token, hostName: 'kvm-8', certificateRequest: await request() }, new Date()),
    /it has been used/,
  );
});

test('what breaks a rule of addHost is refused by the name of its parameter, and adds nothing', async (t) => {
  const api = await withInfrastructure(t);
  assert.equal((await api.add()).status, 200);
  const before = await snapshotOf(api.database);
  const cases: readonly (readonly [string, Params])[] = [
    ['url', {}],
    ['url', { url: 'http://' }],
    ['url', { url: "kvm'; drop table host" }],
    ['hypervisor', { hypervisor: 'VMware', url: 'b' }],
    ['allocationstate', { allocationstate: 'On', url: 'b' }],
    ['clusterid', { clusterid: randomUUID(), url: 'b' }],
    ['clustername', { clustername: 'nowhere', url: 'b' }],
    ['hosttags', { hosttags: 's sd', url: 'b' }],
  ];
  for (const [param, changes] of cases) {
    const answer = await api.add(changes);
    assert.equal(answer.status, 431, param);
    assert.match(String(answer.content['errortext']), new RegExp(param));
  }
  assert.deepEqual(await snapshotOf(api.database), before);
});

test('a host is deleted when it is disabled and nothing is on it; one that never came goes at once, with its token', async (t) => {
  const api = await withInfrastructure(t);
  const [added] = rows(await api.add());
  assert.equal((await api.call('deleteHost', { id: String(added!['id']) })).status, 200);
  await assert.rejects(
    joinHost(
      api,
      { token: String(added!['jointoken']), hostName: 'late', certificateRequest: await request() },
      new Date(),
    ),
    /its host was deleted/,
  );

  const { hostUuid, hostId } = await addHost(api.database, 'host1');
  await api.database.updateTable('host').set({ last_ping: new Date() }).where('id', '=', hostId).execute();
  const remove = (params: Params = {}) => api.call('deleteHost', { id: hostUuid, ...params });
  assert.match(String((await remove()).content['errortext']), /is Enabled: disable it first/);
  await api.call('updateHost', { id: hostUuid, allocationstate: 'Disable' });
  assert.equal((await remove()).status, 200);
  assert.deepEqual(rows(await api.call('listHosts', {})), []);
  assert.equal((await remove()).status, 431);
  assert.equal(rows(await api.call('listEvents', { type: 'HOST.DELETE' })).length, 2);
});
