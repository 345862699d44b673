import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { usableProbe } from '../http/testing/fake-ports.ts';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addHost, rows, withTestApi } from '../http/testing/test-api.ts';

/** A template of every zone of a cloud that has two. */
async function withTwoZones(t: Parameters<typeof withTestApi>[0]) {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  const second = await api.database
    .insertInto('data_center')
    .values({ uuid: randomUUID(), name: 'zone2', dns1: '10.0.0.1', internal_dns1: '10.0.0.1' })
    .returning(['id', 'uuid'])
    .executeTakeFirstOrThrow();
  const registered = await api.call('registerTemplate', {
    ...{ name: 'tiny', displaytext: 'tiny', url: 'https://images.example/a.qcow2', format: 'QCOW2' },
    ...{ hypervisor: 'KVM', directdownload: 'true', zoneid: '-1' },
  });
  assert.equal(registered.status, 200, registered.text);
  return { api, second, id: String(rows(registered)[0]!['id']) };
}

test('a template leaves one zone by a job that knows the zone, and goes altogether with its last one', async (t) => {
  const { api, second, id } = await withTwoZones(t);
  const template = await api.database.selectFrom('vm_template').select('id').executeTakeFirstOrThrow();
  const fromOne = await api.call('deleteTemplate', { id, zoneid: second.uuid });
  assert.equal(fromOne.status, 200, fromOne.text);
  assert.deepEqual(api.jobs.requests.at(-1)!.parameters, {
    templateId: template.id,
    forced: false,
    zoneId: second.id,
  });
  await api.database.updateTable('async_job').set({ job_status: 1 }).execute();
  await api.database
    .updateTable('template_zone_ref')
    .set({ removed: new Date() })
    .where('zone_id', '=', second.id)
    .execute();
  const last = await api.call('deleteTemplate', { id, zoneid: api.ids.zoneId });
  assert.equal(last.status, 200, last.text);
  assert.deepEqual(api.jobs.requests.at(-1)!.parameters, { templateId: template.id, forced: false });
});

test('instances of other zones do not keep a template in a zone; those of the zone do', async (t) => {
  const { api, second, id } = await withTwoZones(t);
  const offering = String(rows(await api.call('listServiceOfferings'))[0]!['id']);
  const vm = await api.call('deployVirtualMachine', {
    ...{ zoneid: api.ids.zoneId, templateid: id, serviceofferingid: offering },
  });
  assert.equal(vm.status, 200, vm.text);
  const used = await api.call('deleteTemplate', { id, zoneid: api.ids.zoneId });
  assert.equal(used.status, 431);
  assert.match(used.text, /used by 1 instance/);
  assert.equal((await api.call('deleteTemplate', { id, zoneid: second.uuid })).status, 200);
});

test('a zone that there is not, or that the template is not in, is refused and changes nothing', async (t) => {
  const { api, second, id } = await withTwoZones(t);
  await api.database
    .updateTable('template_zone_ref')
    .set({ removed: new Date() })
    .where('zone_id', '=', second.id)
    .execute();
  const before = await snapshotOf(api.database);
  for (const zoneid of [randomUUID(), second.uuid, 'x']) {
    const refused = await api.call('deleteTemplate', { id, zoneid });
    assert.equal(refused.status, 431);
    assert.match(String(refused.content['errortext']), /zoneid/);
  }
  assert.deepEqual(await snapshotOf(api.database), before);
});
