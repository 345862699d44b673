import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { usableProbe } from '../http/testing/fake-ports.ts';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addHost, addTenant, type Keys, type Params, rows, withTestApi } from '../http/testing/test-api.ts';

async function withInstance(t: TestContext) {
  const api = await withTestApi(t);
  const host = await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  const template = await api.call('registerTemplate', {
    name: 'tiny',
    displaytext: 'tiny',
    url: 'https://images.example/tiny.qcow2',
    format: 'QCOW2',
    hypervisor: 'KVM',
    zoneid: api.ids.zoneId,
    ispublic: 'true',
  });
  const offering = async (name: string) =>
    String(rows(await api.call('listDiskOfferings', { name }))[0]!['id']);
  const [small, custom] = [await offering('Small'), await offering('Custom')];
  const serviceofferingid = String(rows(await api.call('listServiceOfferings', {}))[0]!['id']);
  const deploy = async (params: Params = {}, keys: Keys = api.admin) => {
    const answer = await api.call(
      'deployVirtualMachine',
      {
        zoneid: api.ids.zoneId,
        templateid: String(rows(template)[0]!['id']),
        serviceofferingid,
        ...params,
      },
      keys,
    );
    assert.equal(answer.status, 200, answer.text);
    return String(answer.content['id']);
  };
  const settle = async (state: string) => {
    await api.database.updateTable('async_job').set({ job_status: 1, job_result: '{}' }).execute();
    await api.database.updateTable('vm_instance').set({ state, host_id: host.hostId }).execute();
  };
  const create = (params: Params = {}, keys: Keys = api.admin) =>
    api.call('createVolume', { diskofferingid: small, zoneid: api.ids.zoneId, ...params }, keys);
  const idOf = async (answer: ReturnType<typeof create>) => {
    const { status, content, text } = await answer;
    assert.equal(status, 200, text);
    await api.database.updateTable('async_job').set({ job_status: 1, job_result: '{}' }).execute();
    return String(content['id']);
  };
  return { ...api, small, custom, deploy, settle, create, idOf };
}

test('a data disk has the size of its offering, or the one that was asked for', async (t) => {
  const api = await withInstance(t);
  const [small] = rows(await api.call('listVolumes', { id: await api.idOf(api.create({ name: 'data' })) }));
  assert.deepEqual(
    [small!['name'], small!['type'], small!['state'], small!['size'], small!['diskofferingname']],
    ['data', 'DATADISK', 'Allocated', 5 * 1024 ** 3, 'Small'],
  );
  const custom = await api.idOf(api.create({ diskofferingid: api.custom, size: '7' }));
  assert.equal(rows(await api.call('listVolumes', { id: custom }))[0]!['size'], 7 * 1024 ** 3);
  assert.equal(rows(await api.call('listVolumes', { diskofferingid: api.custom })).length, 1);
  for (const [rule, params] of [
    [/size: must be given/, { diskofferingid: api.custom }],
    [/size: cannot be used with disk offering Small/, { size: '7' }],
    [/size: must be a whole number of GB/, { diskofferingid: api.custom, size: '0' }],
    [/diskofferingid value=/, { diskofferingid: randomUUID() }],
    [/zoneid value=/, { zoneid: randomUUID() }],
    [/missing parameter zoneid/, { zoneid: '' }],
  ] as const) {
    const answer = await api.create(params);
    assert.equal(answer.status, 431);
    assert.match(String(answer.content['errortext']), rule);
  }
});

test('disks are attached at free positions, the CD-ROM’s left out, and detached by name or by position', async (t) => {
  const api = await withInstance(t);
  const virtualmachineid = await api.deploy();
  await api.settle('Running');
  const attach = async (params: Params = {}) => {
    const id = await api.idOf(api.create());
    const answer = await api.call('attachVolume', { id, virtualmachineid, ...params });
    if (answer.status !== 200) return answer;
    const { parameters } = api.jobs.requests.at(-1)!;
    const { volumeId, position, vmId } = parameters as { volumeId: number; position: number; vmId: number };
    // as the job would
    await api.database
      .updateTable('volumes')
      .set({ instance_id: vmId, device_id: position })
      .where('id', '=', volumeId)
      .execute();
    await api.settle('Running');
    return { id, position, status: 200, content: {} as Record<string, unknown> };
  };
  const first = await attach();
  const positions = [first, await attach(), await attach()].map(
    (each) => (each as { position: number }).position,
  );
  assert.deepEqual(positions, [1, 2, 4]);
  assert.match(String((await attach({ deviceid: '2' })).content['errortext']), /deviceid: 2 is taken/);
  assert.match(
    String((await attach({ deviceid: '3' })).content['errortext']),
    /deviceid: 3 is taken, or is none/,
  );
  const { id } = first as { id: string };
  const again = await api.call('attachVolume', { id, virtualmachineid });
  assert.match(String(again.content['errortext']), /attached already: detach it first/);
  const busy = await api.call('deleteVolume', { id });
  assert.match(String(busy.content['errortext']), /is attached: detach it first/);
  const byPosition = await api.call('detachVolume', { virtualmachineid, deviceid: '2' });
  assert.equal(byPosition.status, 200, byPosition.text);
  await api.settle('Running');
  assert.equal((await api.call('detachVolume', { id })).status, 200);
  assert.equal(api.jobs.requests.at(-1)!.command, 'detachVolume');
  const blocked = await api.call('rebootVirtualMachine', { id: virtualmachineid });
  assert.equal(blocked.status, 536, 'nothing else happens to the instance meanwhile');
});

test('root volumes are neither attached nor deleted by themselves, but grow', async (t) => {
  const api = await withInstance(t);
  const virtualmachineid = await api.deploy({ rootdisksize: '4' });
  await api.settle('Stopped');
  const [root] = rows(await api.call('listVolumes', { virtualmachineid, type: 'ROOT' }));
  const id = String(root!['id']);
  for (const [command, params] of [
    ['attachVolume', { virtualmachineid }],
    ['detachVolume', {}],
    ['deleteVolume', {}],
  ] as const) {
    const answer = await api.call(command, { id, ...params });
    assert.match(String(answer.content['errortext']), /is a root volume/, command);
  }
  assert.match(
    String((await api.call('resizeVolume', { id, size: '3' })).content['errortext']),
    /has 4 GB: it can only be grown/,
  );
  const grown = await api.call('resizeVolume', { id, size: '9' });
  assert.equal(grown.status, 200, grown.text);
  assert.equal((api.jobs.requests.at(-1)!.parameters as { sizeBytes: number }).sizeBytes, 9 * 1024 ** 3);
});

test('a tenant reaches their own disks and instances only, and an instance is deployed with a disk of its own', async (t) => {
  const api = await withInstance(t);
  const ann = await addTenant(api.database, 'ann');
  const bob = await addTenant(api.database, 'bob');
  const disk = await api.idOf(api.create({}, ann));
  const mine = await api.deploy({ name: 'mine', diskofferingid: api.custom, size: '3' }, ann);
  await api.settle('Running');
  const disks = rows(await api.call('listVolumes', { virtualmachineid: mine, type: 'DATADISK' }, ann));
  assert.deepEqual(
    disks.map((row) => [row['size'], row['deviceid'], row['account']]),
    [[3 * 1024 ** 3, 1, 'ann']],
  );
  const before = await snapshotOf(api.database);
  for (const [command, params] of [
    ['attachVolume', { id: disk, virtualmachineid: mine }],
    ['detachVolume', { virtualmachineid: mine, deviceid: '1' }],
    ['resizeVolume', { id: disk, size: '9' }],
    ['deleteVolume', { id: disk }],
    ['createVolume', { diskofferingid: api.small, virtualmachineid: mine }],
  ] as const) {
    const answer = await api.call(command, params, bob);
    assert.equal(answer.status, 431, command);
    assert.match(String(answer.content['errortext']), /entity does not exist/, command);
  }
  assert.equal((await api.call('createDiskOffering', { name: 'x', displaytext: 'x' }, bob)).status, 432);
  assert.deepEqual(await snapshotOf(api.database), before);
  const admins = await api.idOf(api.create());
  const foreign = await api.call('attachVolume', { id: admins, virtualmachineid: mine });
  assert.match(String(foreign.content['errortext']), /belong to different accounts/);
});

test('disk offerings are made and removed by root admins', async (t) => {
  const api = await withInstance(t);
  const answer = await api.call('createDiskOffering', {
    name: 'Big',
    displaytext: '100 GB',
    disksize: '100',
  });
  const { id, disksize, iscustomized } = answer.content['diskoffering'] as Record<string, unknown>;
  assert.deepEqual([disksize, iscustomized], [100, false]);
  assert.equal((await api.call('deleteDiskOffering', { id: String(id) })).status, 200);
  assert.equal((await api.call('deleteDiskOffering', { id: String(id) })).status, 431);
  const both = await api.call('createDiskOffering', {
    name: 'x',
    displaytext: 'x',
    disksize: '1',
    customized: 'true',
  });
  assert.match(String(both.content['errortext']), /disksize: must be given, unless customized/);
});
