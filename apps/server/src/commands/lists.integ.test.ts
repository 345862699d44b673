import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allSpecs } from '@millrace/api';
import { addHost, addTenant, rows, testNetwork, withTestApi } from '../http/testing/test-api.ts';

test('zones, pods, clusters, hosts and pools are listed with what belongs to them', async (t) => {
  const api = await withTestApi(t);
  const host = await addHost(api.database, 'host1');
  const { zoneId, podId, clusterId } = api.ids;
  const [zone] = rows(await api.call('listZones', { name: 'zone1' }));
  assert.equal(zone!['id'], zoneId);
  assert.equal(zone!['networktype'], 'Advanced');
  const [pod] = rows(await api.call('listPods', { zoneid: zoneId }));
  assert.equal(pod!['id'], podId);
  const [cluster] = rows(await api.call('listClusters', { podid: podId, hypervisor: 'kvm' }));
  assert.equal(cluster!['id'], clusterId);
  assert.equal(cluster!['clustertype'], 'CloudManaged');
  const [first] = rows(await api.call('listHosts', { type: 'Routing', state: 'Up', clusterid: clusterId }));
  assert.equal(first!['id'], host.hostUuid);
  assert.equal(first!['resourcestate'], 'Enabled');
  assert.equal(first!['islocalstorageactive'], true);
  assert.equal(first!['memorytotal'], 8 * 1024 ** 3);
  const [pool] = rows(await api.call('listStoragePools', { hostid: host.hostUuid, scope: 'host' }));
  assert.equal(pool!['type'], 'Filesystem');
  assert.equal(pool!['disksizetotal'], 100 * 1024 ** 3);
  for (const command of ['listPods', 'listClusters', 'listHosts', 'listStoragePools', 'listZones']) {
    assert.deepEqual((await api.call(command, { name: 'nowhere' })).content, {}, command);
    assert.deepEqual((await api.call(command, { keyword: 'nowhere' })).content, {}, command);
  }
});

test('offerings, networks and OS types are there for every user', async (t) => {
  const api = await withTestApi(t);
  const ann = await addTenant(api.database, 'ann');
  const offerings = await api.call('listServiceOfferings', { cpunumber: '1', memory: '128' }, ann);
  assert.deepEqual(
    rows(offerings).map((row) => row['name']),
    ['Micro'],
  );
  const [network] = rows(await api.call('listNetworks', { zoneid: api.ids.zoneId, type: 'shared' }, ann));
  assert.equal(network!['id'], api.ids.networkId);
  assert.equal(network!['cidr'], testNetwork.cidr);
  const [os] = rows(await api.call('listOsTypes', { description: 'Other Linux (64-bit)' }, ann));
  assert.equal(os!['description'], 'Other Linux (64-bit)');
  assert.equal((await api.call('listOsTypes', { id: String(os!['id']) }, ann)).content['count'], 1);
});

test('capabilities tell the release whose API this is', async (t) => {
  const api = await withTestApi(t);
  const { content } = await api.call('listCapabilities');
  const capability = content['capability'] as Record<string, unknown>;
  assert.match(String(capability['cloudstackversion']), /^4\.18\./);
  assert.equal(capability['supportELB'], 'false');
});

test('events are filtered by type, level, resource and time, and belong to their account', async (t) => {
  const api = await withTestApi(t);
  const ann = await addTenant(api.database, 'ann');
  await api.call('registerUserKeys', { id: ann.userUuid });
  const [event] = rows(await api.call('listEvents', { listall: 'true' }));
  assert.equal(event!['type'], 'REGISTER.USER.KEY');
  assert.equal(event!['account'], 'ann');
  assert.equal(event!['username'], 'admin');
  const count = async (params: Record<string, string>) =>
    (await api.call('listEvents', { listall: 'true', ...params })).content['count'] ?? 0;
  const today = new Date().toISOString().slice(0, 10);
  assert.equal(await count({ type: 'register.user.key', level: 'info' }), 1);
  assert.equal(await count({ resourceid: ann.userUuid, resourcetype: 'user' }), 1);
  assert.equal(await count({ startdate: today, enddate: today }), 1);
  assert.equal(await count({ enddate: '2020-01-01' }), 0);
  assert.equal(await count({ resourceid: 'nonsense' }), 0);
  assert.equal(await count({ level: 'ERROR' }), 0);
  assert.deepEqual((await api.call('listEvents')).content, {});
});

test('listApis describes every command so that CloudMonkey and Marvin can build their own from it', async (t) => {
  const api = await withTestApi(t);
  const answer = await api.call('listApis', { listall: 'true' });
  assert.equal(answer.content['count'], allSpecs.length);
  assert.equal(answer.text.includes('\n'), false);
  for (const entry of rows(answer)) {
    const { name, isasync, description, params, response } = entry as {
      name: string;
      isasync: boolean;
      description: string;
      params: Record<string, unknown>[];
      response: Record<string, unknown>[];
    };
    assert.equal(typeof isasync, 'boolean', name);
    for (const item of [...params, ...response]) {
      assert.match(String(item['name']), /^[A-Za-z_][A-Za-z0-9_]*$/, name);
      assert.equal(typeof item['type'], 'string', `${name} ${item['name']}`);
      // generated code puts these between triple quotes
      assert.doesNotMatch(String(item['description']), /["\\\n]/, `${name} ${item['name']}`);
      assert.notEqual(item['description'], '', `${name} ${item['name']}`);
    }
    for (const item of params) assert.equal(typeof item['required'], 'boolean');
    assert.doesNotMatch(description, /["\\\n]/);
    const fields = response.map((item) => item['name']);
    assert.ok(fields.includes('jobid') && fields.includes('jobstatus'), name);
  }
});

test('listApis shows a role what it may call, and one command by its name', async (t) => {
  const api = await withTestApi(t);
  const ann = await addTenant(api.database, 'ann');
  const names = rows(await api.call('listApis', {}, ann)).map((row) => row['name']);
  assert.ok(names.includes('deployVirtualMachine'));
  assert.equal(names.includes('listHosts'), false);
  const one = await api.call('listApis', { name: 'DEPLOYvirtualmachine' }, ann);
  assert.equal(one.content['count'], 1);
  assert.match(String(rows(one)[0]!['related']), /listVirtualMachines/);
  assert.equal((await api.call('listApis', { name: 'listHosts' }, ann)).status, 431);
});
