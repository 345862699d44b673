import assert from 'node:assert/strict';
import { test } from 'node:test';
import { giveBelongings } from '../http/testing/tenants.ts';
import { addHost, rows, withTestApi } from '../http/testing/test-api.ts';

async function withOffering(t: Parameters<typeof withTestApi>[0]) {
  const api = await withTestApi(t);
  const { hostId } = await addHost(api.database, 'host1');
  const own = await giveBelongings(api.database, 'ada', hostId);
  const offering = async (name: string, more: Record<string, string> = {}) => {
    const answer = await api.call('createServiceOffering', {
      ...{ name, displaytext: name, cpunumber: '4', cpuspeed: '1000', memory: '4096' },
      ...more,
    });
    assert.equal(answer.status, 200, answer.text);
    return String((answer.content['serviceoffering'] as { id: unknown }).id);
  };
  return { api, own, offering };
}

test('a stopped instance gets another service offering, by either command', async (t) => {
  const { api, own, offering } = await withOffering(t);
  const [large, safe] = [await offering('Large'), await offering('Safe', { offerha: 'true' })];
  const changed = await api.call(
    'changeServiceForVirtualMachine',
    { id: own.stoppedVm, serviceofferingid: large },
    own.owner,
  );
  assert.equal(changed.status, 200, changed.text);
  const vm = changed.content['virtualmachine'] as Record<string, unknown>;
  assert.equal(vm['serviceofferingname'], 'Large');
  assert.equal(vm['memory'], 4096);
  assert.equal(vm['haenable'], false);
  assert.equal(vm['hostname'], undefined, 'tenants see no hosts');
  const scaled = await api.call(
    'scaleVirtualMachine',
    { id: own.stoppedVm, serviceofferingid: safe },
    own.owner,
  );
  assert.match(String(scaled.content['jobid']), /^[0-9a-f-]{36}$/);
  const [now] = rows(await api.call('listVirtualMachines', { id: own.stoppedVm }, own.owner));
  assert.equal(now!['serviceofferingname'], 'Safe');
  assert.equal(now!['haenable'], true);
});

test('one that runs, and one whose disk lies elsewhere, keep theirs and it is said why', async (t) => {
  const { api, own, offering } = await withOffering(t);
  const large = await offering('Large');
  for (const command of ['changeServiceForVirtualMachine', 'scaleVirtualMachine']) {
    const answer = await api.call(command, { id: own.vm, serviceofferingid: large }, own.owner);
    assert.equal(answer.status, 431);
    assert.match(answer.text, /is Running; it must be Stopped/);
  }
  const pool = await api.database.selectFrom('storage_pool').selectAll().executeTakeFirstOrThrow();
  await api.database.updateTable('volumes').set({ pool_id: pool.id }).execute();
  const tagged = await offering('Tagged', { tags: 'nvme' });
  const change = (serviceofferingid: string) =>
    api.call('changeServiceForVirtualMachine', { id: own.stoppedVm, serviceofferingid }, own.owner);
  assert.match((await change(tagged)).text, /storage pool .* lacks the tag nvme/);
  await api.database.updateTable('storage_pool').set({ tags: 'ssd,nvme', scope: 'CLUSTER' }).execute();
  assert.equal((await change(tagged)).status, 200);
  assert.match((await change(await offering('Local', { storagetype: 'local' }))).text, /is no local one/);
  const refused = await api.call(
    'changeServiceForVirtualMachine',
    { id: own.stoppedVm, serviceofferingid: large, 'details[0].cpuNumber': '8' },
    own.owner,
  );
  assert.match(refused.text, /details/);
});

test('disk offerings are renamed, and OS categories and hypervisors listed', async (t) => {
  const { api } = await withOffering(t);
  const [first] = rows(await api.call('listDiskOfferings'));
  const id = String(first!['id']);
  const answer = await api.call('updateDiskOffering', {
    id,
    name: 'Any',
    displaytext: 'Any size',
    sortkey: '9',
  });
  assert.equal(answer.status, 200, answer.text);
  assert.equal((answer.content['diskoffering'] as { name: unknown }).name, 'Any');
  assert.equal(rows(await api.call('listDiskOfferings')).at(-1)!['name'], 'Any');
  assert.match((await api.call('updateDiskOffering', { id })).text, /name, displaytext or sortkey/);
  const categories = rows(await api.call('listOsCategories'));
  assert.ok(categories.length > 1);
  const types = rows(await api.call('listOsTypes', { oscategoryid: String(categories[0]!['id']) }));
  assert.ok(types.every((row) => row['oscategoryname'] === categories[0]!['name']));
  assert.deepEqual(rows(await api.call('listHypervisors')), [{ name: 'KVM' }]);
});
