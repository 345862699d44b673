import assert from 'node:assert/strict';
import { test } from 'node:test';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addHost, type Params, rows, type TestApi, withTestApi } from '../http/testing/test-api.ts';
import { recordHello } from '../store/host-reports.ts';

const offering = { name: 'Large', displaytext: 'Large', cpunumber: '8', cpuspeed: '1000', memory: '16384' };

async function refused(api: TestApi, command: string, params: Params): Promise<string> {
  const before = await snapshotOf(api.database);
  const answer = await api.call(command, params);
  assert.notEqual(answer.status, 200, answer.text);
  assert.deepEqual(await snapshotOf(api.database), before);
  return String(answer.content['errortext']);
}

test('a service offering is made, changed and removed; its rules are named', async (t) => {
  const api = await withTestApi(t);
  const made = await api.call('createServiceOffering', {
    ...offering,
    storagetype: 'local',
    tags: 'ssd, fast',
    hosttags: 'gold',
    offerha: 'true',
  });
  assert.equal(made.status, 200, made.text);
  const entity = made.content['serviceoffering'] as Record<string, unknown>;
  assert.deepEqual(
    [entity['cpunumber'], entity['memory'], entity['storagetype'], entity['storagetags'], entity['hosttags']],
    [8, 16384, 'local', 'ssd,fast', 'gold'],
  );
  assert.equal(entity['offerha'], true);
  const id = String(entity['id']);
  await api.call('updateServiceOffering', { id, displaytext: 'Larger', hosttags: 'silver' });
  const [listed] = rows(await api.call('listServiceOfferings', { id }));
  assert.deepEqual(
    [listed!['name'], listed!['displaytext'], listed!['hosttags']],
    ['Large', 'Larger', 'silver'],
  );
  for (const [changes, reason] of [
    [{ cpunumber: '0' }, /cpunumber.*from 1 to 256/],
    [{ memory: '' }, /memory.*from 16/],
    [{ storagetype: 'floppy' }, /storagetype.*shared, local/],
    [{ tags: 'a b' }, /tags.*no tag/],
    [{ customized: 'true' }, /customized/],
  ] as const)
    assert.match(await refused(api, 'createServiceOffering', { ...offering, ...changes }), reason);
  assert.equal((await api.call('deleteServiceOffering', { id })).status, 200);
  assert.deepEqual(rows(await api.call('listServiceOfferings', { id })), []);
  assert.match(await refused(api, 'deleteServiceOffering', { id }), /does not exist/);
});

test('a host has tags, and a name that stays whatever the machine says of itself', async (t) => {
  const api = await withTestApi(t);
  const { hostId, hostUuid } = await addHost(api.database, 'kvm-1');
  await addHost(api.database, 'kvm-2');
  const params = { id: hostUuid, name: 'rack7-blade3', hosttags: 'gold,ssd,gold' };
  const { host } = (await api.call('updateHost', params)).content as { host: Record<string, unknown> };
  assert.deepEqual([host['name'], host['hosttags']], ['rack7-blade3', 'gold,ssd']);
  assert.match(await refused(api, 'updateHost', { id: hostUuid, name: 'kvm-2' }), /name.*kvm-2 already/);
  assert.match(await refused(api, 'updateHost', { id: hostUuid, name: '../x' }), /name.*letters/);
  const row = await api.database
    .selectFrom('host')
    .selectAll()
    .where('id', '=', hostId)
    .executeTakeFirstOrThrow();
  const hello = {
    protocolVersion: 1,
    agentVersion: '1',
    hostName: 'kvm-1',
    arch: 'x86_64',
    cpus: 4,
    cpuMhz: 2000,
    memoryBytes: 8 * 1024 ** 3,
    hypervisorVersion: '9',
    virtType: 'qemu' as const,
    addresses: [],
    vms: [],
  };
  await recordHello(api.database, row, hello, new Date());
  const nameNow = async () => rows(await api.call('listHosts', { id: hostUuid }))[0]!['name'];
  assert.equal(await nameNow(), 'rack7-blade3');
  await recordHello(api.database, { ...row, renamed: false }, hello, new Date());
  assert.equal(await nameNow(), 'kvm-1');
});

test('a cluster has an over-commitment of its own until it follows the cloud again', async (t) => {
  const api = await withTestApi(t);
  const { hostUuid } = await addHost(api.database, 'kvm-1');
  const name = 'mem.overprovisioning.factor';
  const clusterid = api.ids.clusterId;
  const set = (value: string) => api.call('updateConfiguration', { name, value, clusterid });
  const memory = async () => [
    rows(await api.call('listClusters', { id: clusterid }))[0]!['memoryovercommitratio'],
    rows(await api.call('listHosts', { id: hostUuid }))[0]!['memorywithoverprovisioning'],
    rows(await api.call('listConfigurations', { name, clusterid }))[0]!['value'],
  ];
  const before = await memory();
  assert.equal((await set('3')).status, 200);
  assert.deepEqual(await memory(), ['3.0', (24 * 1024 ** 3).toFixed(1), '3']);
  assert.equal((await set('1.5')).status, 200);
  assert.deepEqual(await memory(), ['1.5', (12 * 1024 ** 3).toFixed(1), '1.5']);
  assert.equal(rows(await api.call('listConfigurations', { name }))[0]!['value'], before[2]);
  await set('');
  assert.deepEqual(await memory(), before);
  assert.match(
    await refused(api, 'updateConfiguration', { name: 'session.timeout', value: '900', clusterid }),
    /clusterid.*one value for the whole cloud/,
  );
});
