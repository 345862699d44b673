import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openSharedAuthority } from '../agents/certificate-authority.ts';
import { usableProbe } from '../http/testing/fake-ports.ts';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addHost, addTenant, rows, type TestApi, withTestApi } from '../http/testing/test-api.ts';

const zoneParams = {
  ...{ name: 'Geneva', networktype: 'Advanced', dns1: '9.9.9.9', internaldns1: '10.0.0.53' },
};

async function made(api: TestApi, command: string, params: Record<string, string>, key: string) {
  const answer = await api.call(command, params);
  assert.equal(answer.status, 200, answer.text);
  const found = answer.content[key];
  return (Array.isArray(found) ? found[0] : found) as Record<string, unknown>;
}

async function withPlaces(t: Parameters<typeof withTestApi>[0]) {
  const api = await withTestApi(t);
  const zone = await made(api, 'createZone', zoneParams, 'zone');
  const zoneid = String(zone['id']);
  const pod = await made(
    api,
    'createPod',
    {
      ...{ name: 'P', zoneid, gateway: '10.1.0.1', netmask: '255.255.0.0' },
      ...{ startip: '10.1.0.10', endip: '10.1.0.20' },
    },
    'pod',
  );
  const podid = String(pod['id']);
  const cluster = await made(
    api,
    'addCluster',
    { clustername: 'C', clustertype: 'CloudManaged', hypervisor: 'KVM', zoneid, podid },
    'cluster',
  );
  return { api, zone, zoneid, pod, podid, cluster, clusterid: String(cluster['id']) };
}

test('a zone, a pod and a cluster are made as clients of CloudStack make them, and a host may join there', async (t) => {
  const { api, zone, zoneid, pod, podid, cluster, clusterid } = await withPlaces(t);
  assert.equal(zone['allocationstate'], 'Enabled');
  assert.equal(zone['internaldns1'], '10.0.0.53');
  assert.equal(zone['localstorageenabled'], true);
  assert.deepEqual([pod['startip'], pod['endip']], [['10.1.0.10'], ['10.1.0.20']]);
  assert.equal(cluster['zonename'], 'Geneva');
  assert.deepEqual(rows(await api.call('listZones', { id: zoneid })), [zone]);
  assert.deepEqual(rows(await api.call('listPods', { zoneid })), [pod]);
  assert.deepEqual(rows(await api.call('listClusters', { podid })), [cluster]);
  const directory = await mkdtemp(join(tmpdir(), 'millrace-authority-'));
  t.after(() => rm(directory, { recursive: true }));
  await openSharedAuthority(api.database, directory);
  const host = rows(
    await api.call('addHost', { zoneid, podid, clusterid, hypervisor: 'KVM', url: 'kvm-9' }),
  )[0]!;
  assert.equal(host['clustername'], 'C');
  assert.equal(host['zonename'], 'Geneva');
});

test('they change their names, states and locations', async (t) => {
  const { api, zoneid, podid, clusterid } = await withPlaces(t);
  const zone = await made(
    api,
    'updateZone',
    {
      ...{ id: zoneid, name: 'Genf', allocationstate: 'disabled', dns2: '8.8.8.8', location: 'CH' },
      ...{ localstorageenabled: 'false', sortkey: '-1' },
    },
    'zone',
  );
  assert.deepEqual(
    [zone['name'], zone['allocationstate'], zone['dns2'], zone['location'], zone['localstorageenabled']],
    ['Genf', 'Disabled', '8.8.8.8', 'ch', false],
  );
  assert.equal(rows(await api.call('listZones'))[0]!['name'], 'Genf', 'by their sort keys');
  const ann = await addTenant(api.database, 'ann');
  const seen = rows(await api.call('listZones', { id: zoneid }, ann))[0]!;
  assert.equal(seen['internaldns1'], undefined);
  const pod = await made(api, 'updatePod', { id: podid, name: 'Rack', allocationstate: 'Disabled' }, 'pod');
  assert.deepEqual([pod['name'], pod['allocationstate'], pod['gateway']], ['Rack', 'Disabled', '10.1.0.1']);
  const cluster = await made(
    api,
    'updateCluster',
    { id: clusterid, clustername: 'D', location: 'row-3' },
    'cluster',
  );
  assert.deepEqual([cluster['name'], cluster['location']], ['D', 'row-3']);
});

test('what is not empty is not deleted, and it is said what is in it', async (t) => {
  const { api, zoneid, podid, clusterid } = await withPlaces(t);
  const refused = async (command: string, id: string, rule: RegExp) => {
    const answer = await api.call(command, { id });
    assert.equal(answer.status, 536, answer.text);
    assert.match(answer.text, rule);
  };
  await refused('deleteZone', zoneid, /zone Geneva has the pod P: remove it first/);
  await refused('deletePod', podid, /pod P has the cluster C/);
  await addHost(api.database, 'host1');
  await refused('deleteCluster', api.ids.clusterId, /has the host host1/);
  await refused('deleteZone', api.ids.zoneId, /zone zone1 has the pod Pod1/);
  for (const [command, id] of [
    ['deleteCluster', clusterid],
    ['deletePod', podid],
    ['deleteZone', zoneid],
  ] as const)
    assert.equal((await api.call(command, { id })).status, 200, command);
  assert.deepEqual(rows(await api.call('listZones', { id: zoneid })), []);
  assert.equal((await api.call('deleteZone', { id: zoneid })).status, 431);
  assert.equal((await api.call('createZone', zoneParams)).status, 200, 'its name is free again');
});

test('nothing comes into a place that is being deleted', async (t) => {
  const { api, zoneid, podid, clusterid } = await withPlaces(t);
  await api.call('deleteCluster', { id: clusterid });
  const [deleted, ...added] = await Promise.all([
    api.call('deletePod', { id: podid }),
    ...['a', 'b', 'c'].map((clustername) =>
      api.call('addCluster', { clustername, clustertype: 'CloudManaged', hypervisor: 'KVM', zoneid, podid }),
    ),
  ]);
  const there = rows(await api.call('listClusters', { zoneid })).length;
  assert.equal(there, added.filter(({ status }) => status === 200).length);
  assert.equal(deleted!.status === 200, there === 0, 'either the pod went, or it had clusters');
  const cluster = await api.database
    .selectFrom('cluster')
    .select('id')
    .where('removed', 'is not', null)
    .executeTakeFirstOrThrow();
  const pod = await api.database.selectFrom('host_pod_ref').selectAll().executeTakeFirstOrThrow();
  await assert.rejects(
    api.database
      .insertInto('host')
      .values({
        ...{ uuid: randomUUID(), name: 'late', status: 'Up', cluster_id: cluster.id },
        ...{ pod_id: pod.id, data_center_id: pod.data_center_id },
      })
      .execute(),
    /the cluster is removed/,
  );
});

test('a template for every zone is in a new one, too', async (t) => {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  for (const [name, zoneid] of [
    ['everywhere', '-1'],
    ['here', api.ids.zoneId],
  ] as const)
    await api.call('registerTemplate', {
      ...{ name, displaytext: name, url: 'https://images.example/t', format: 'QCOW2', hypervisor: 'KVM' },
      ...{ directdownload: 'true', zoneid },
    });
  const zone = await made(api, 'createZone', zoneParams, 'zone');
  const listed = rows(
    await api.call('listTemplates', { templatefilter: 'self', zoneid: String(zone['id']) }),
  );
  assert.deepEqual(
    listed.map(({ name }) => name),
    ['everywhere'],
  );
});

test('what breaks a rule is refused by the name of its parameter, and nothing changes', async (t) => {
  const { api, zoneid, podid, clusterid } = await withPlaces(t);
  const before = await snapshotOf(api.database);
  const pod = { name: 'Q', zoneid, gateway: '10.2.0.1', netmask: '255.255.0.0' };
  const cluster = { clustername: 'E', clustertype: 'CloudManaged', hypervisor: 'KVM', zoneid, podid };
  for (const [command, params, rule] of [
    ['createZone', { ...zoneParams, name: 'geneva' }, /name.*already/],
    ['createZone', { ...zoneParams, name: 'B', networktype: 'Basic' }, /networktype/],
    ['createZone', { ...zoneParams, name: 'B', dns1: 'nine' }, /dns1/],
    ['createZone', { ...zoneParams, name: 'B', securitygroupenabled: 'true' }, /securitygroupenabled/],
    ['createZone', { ...zoneParams, name: 'B', location: 'a b' }, /location/],
    ['updateZone', { id: zoneid, allocationstate: 'Off' }, /allocationstate/],
    ['updateZone', { id: zoneid, name: 'zone1' }, /name.*already/],
    ['updateZone', { id: randomUUID(), name: 'x' }, /id/],
    ['createPod', { ...pod, zoneid: randomUUID() }, /zoneid/],
    ['createPod', { ...pod, name: 'p' }, /name.*already/],
    ['createPod', { ...pod, startip: '10.3.0.1', endip: '10.3.0.9' }, /startip/],
    ['createPod', { name: 'Q', zoneid, startip: '10.2.0.2', endip: '10.2.0.9' }, /gateway/],
    ['updatePod', { id: podid, netmask: '255.0.255.0' }, /netmask/],
    ['addCluster', { ...cluster, hypervisor: 'VMware' }, /hypervisor/],
    ['addCluster', { ...cluster, clustertype: 'ExternalManaged' }, /clustertype/],
    ['addCluster', { ...cluster, zoneid: api.ids.zoneId }, /podid.*not in zone/],
    ['addCluster', { ...cluster, clustername: 'c' }, /clustername.*already/],
    ['updateCluster', { id: clusterid, managedstate: 'Unmanaged' }, /managedstate/],
  ] as const) {
    const answer = await api.call(command, params);
    assert.ok([431, 432].includes(answer.status), `${command}: ${answer.text}`);
    assert.match(String(answer.content['errortext']), rule);
  }
  assert.deepEqual(await snapshotOf(api.database), before);
});
