import assert from 'node:assert/strict';
import { test } from 'node:test';
import { giveBelongings } from '../http/testing/tenants.ts';
import { addHost, rows, withTestApi } from '../http/testing/test-api.ts';
import { recordEvent } from '../store/events.ts';
import { tellOfFullClusters, tellOfFullPoolsOf } from '../workflows/housekeeping.ts';

test('capacity counts what there is, with over-commitment, and what is in use', async (t) => {
  const api = await withTestApi(t);
  const { hostId } = await addHost(api.database, 'host1');
  await giveBelongings(api.database, 'ada', hostId);
  const host = await api.database.selectFrom('host').selectAll().executeTakeFirstOrThrow();
  const pool = await api.database.selectFrom('storage_pool').selectAll().executeTakeFirstOrThrow();
  await api.database.updateTable('volumes').set({ pool_id: pool.id }).execute();
  const [offering] = rows(await api.call('listServiceOfferings'));
  const byType = async (params: Record<string, string> = {}) =>
    new Map(rows(await api.call('listCapacity', params)).map((row) => [row['name'], row]));
  const now = await byType();
  assert.equal(now.get('MEMORY')!['capacitytotal'], host.ram);
  assert.equal(now.get('MEMORY')!['capacityused'], Number(offering!['memory']) * 1024 ** 2);
  assert.equal(now.get('CPU')!['capacitytotal'], host.cpus * host.speed * 4);
  assert.equal(now.get('LOCAL_STORAGE')!['capacitytotal'], pool.capacity_bytes);
  assert.equal(now.get('LOCAL_STORAGE')!['capacityallocated'], 3 * 1024 ** 3);
  assert.equal(now.get('DIRECT_ATTACHED_PUBLIC_IP')!['capacitytotal'], 3);
  const percent = (100 * Number(offering!['memory']) * 1024 ** 2) / host.ram;
  assert.equal(now.get('MEMORY')!['percentused'], percent.toFixed(2));
  await api.call('updateConfiguration', {
    ...{ name: 'mem.overprovisioning.factor', value: '2', clusterid: api.ids.clusterId },
  });
  assert.equal((await byType({ type: '0' })).get('MEMORY')!['capacitytotal'], 2 * host.ram);
  assert.deepEqual([...(await byType({ type: '0' })).keys()], ['MEMORY']);
  const [zone] = rows(await api.call('listZones', { showcapacities: 'true' }));
  const inZone = zone!['capacity'] as Record<string, unknown>[];
  assert.equal(inZone.find((row) => row['name'] === 'MEMORY')!['capacitytotal'], 2 * host.ram);
  await api.database.updateTable('host').set({ status: 'Down' }).execute();
  assert.equal(
    (await byType({ type: '0' })).get('MEMORY')!['capacitytotal'],
    0,
    'a lost host has nothing to give',
  );
});

test('alerts are what somebody has to look at, and a nearly full pool is told of once', async (t) => {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  await recordEvent(api.database, {
    type: 'ALERT.COMPUTE.HOST',
    level: 'ERROR',
    description: 'host1 is lost',
  });
  const fill = (share: number) =>
    api.database
      .updateTable('storage_pool')
      .set({ capacity_bytes: 1000, used_bytes: 1000 * share })
      .execute();
  const tell = () => tellOfFullPoolsOf(api.database);
  await fill(0.74);
  assert.deepEqual(await tell(), []);
  await fill(0.8);
  assert.equal((await tell()).length, 1);
  assert.deepEqual(await tell(), [], 'once is enough');
  await fill(0.72);
  assert.deepEqual(await tell(), []);
  await fill(0.8);
  assert.deepEqual(await tell(), [], 'it had hardly any space meanwhile');
  await fill(0.5);
  await tell();
  await fill(0.9);
  assert.equal((await tell()).length, 1);
  const alerts = rows(await api.call('listAlerts'));
  assert.deepEqual(
    alerts.map(({ name, type }) => [name, type]),
    [
      ['ALERT.STORAGE', 2],
      ['ALERT.STORAGE', 2],
      ['ALERT.COMPUTE.HOST', 7],
    ],
  );
  assert.match(String(alerts[0]!['description']), /is 90 % full/);
  assert.equal(rows(await api.call('listAlerts', { type: '7' })).length, 1);
  assert.equal(rows(await api.call('listAlerts', { name: 'alert.storage' })).length, 2);
  assert.equal(rows(await api.call('listAlerts', { id: String(alerts[2]!['id']) })).length, 1);
  const types = rows(await api.call('listEventTypes')).map(({ name }) => name);
  assert.ok(types.includes('VM.CREATE') && types.includes('ALERT.STORAGE'));
  const bad = await api.call('updateConfiguration', {
    ...{ name: 'cluster.storage.capacity.notificationthreshold', value: '75' },
  });
  assert.match(bad.text, /share from 0 to 1/);
});

test('settings get their defaults back, tags of hosts and pools are listed, and what there is none of is empty', async (t) => {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  await api.call('updateConfiguration', { name: 'expunge.delay', value: '7' });
  const reset = await api.call('resetConfiguration', { name: 'expunge.delay' });
  const setting = reset.content['configuration'] as Record<string, unknown>;
  assert.equal(setting['value'], setting['defaultvalue']);
  assert.match((await api.call('resetConfiguration', { name: 'no.such' })).text, /no\.such/);
  await api.database.updateTable('host').set({ tags: 'gold,ssd' }).execute();
  await api.database.updateTable('storage_pool').set({ tags: 'ssd' }).execute();
  const names = async (command: string, params = {}) =>
    rows(await api.call(command, params)).map(({ name }) => name);
  assert.deepEqual(await names('listHostTags'), ['gold', 'ssd']);
  assert.deepEqual(await names('listHostTags', { keyword: 'GO' }), ['gold']);
  assert.deepEqual(await names('listStorageTags'), ['ssd']);
  assert.deepEqual(await names('listRegions'), ['Local']);
  assert.deepEqual(await names('listRegions', { id: '2' }), []);
  for (const command of [
    'listImageStores',
    'listSystemVms',
    'listProjects',
    'listSecurityGroups',
    'listPublicIpAddresses',
    'listPortForwardingRules',
    'listIpForwardingRules',
  ])
    assert.deepEqual((await api.call(command)).content, {}, command);
});

test('a cluster whose memory or CPUs are nearly all given away is told of once', async (t) => {
  const api = await withTestApi(t);
  const { hostId } = await addHost(api.database, 'host1');
  await giveBelongings(api.database, 'ada', hostId);
  const [offering] = rows(await api.call('listServiceOfferings'));
  const memory = Number(offering!['memory']) * 1024 ** 2;
  const have = (share: number) =>
    api.database
      .updateTable('host')
      .set({ ram: Math.ceil(memory / share) })
      .execute();
  const tell = () => tellOfFullClusters(api.database);
  await have(0.7);
  assert.deepEqual(await tell(), []);
  await have(0.8);
  assert.equal((await tell()).length, 1);
  assert.deepEqual(await tell(), [], 'once is enough');
  await have(0.72);
  await tell();
  await have(0.8);
  assert.deepEqual(await tell(), [], 'it had hardly any meanwhile');
  await api.call('updateConfiguration', {
    ...{ name: 'cluster.memory.allocated.capacity.notificationthreshold', value: '0.9' },
  });
  await tell();
  await have(0.95);
  assert.equal((await tell()).length, 1);
  await api.database.updateTable('host').set({ cpus: 1, speed: 1 }).execute();
  assert.match(String((await tell())[0]), /: cpu$/);
  await api.database.updateTable('host').set({ status: 'Down' }).execute();
  assert.deepEqual(await tell(), [], 'nothing is left of nothing');
  const alerts = rows(await api.call('listAlerts'));
  assert.deepEqual(
    alerts.map(({ name, type }) => [name, type]),
    [
      ['ALERT.CPU', 1],
      ['ALERT.MEMORY', 0],
      ['ALERT.MEMORY', 0],
    ],
  );
  assert.match(String(alerts[1]!['description']), /have 9[45] % of the memory of cluster/);
});
