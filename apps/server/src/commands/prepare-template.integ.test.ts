import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { usableProbe } from '../http/testing/fake-ports.ts';
import { addHost, addTenant, rows, type TestApi, withTestApi } from '../http/testing/test-api.ts';

async function registered(api: TestApi): Promise<string> {
  await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  const answer = await api.call('registerTemplate', {
    ...{ name: 'tiny', displaytext: 'tiny', url: 'https://images.example/tiny.qcow2', format: 'QCOW2' },
    ...{ hypervisor: 'KVM', directdownload: 'true', zoneid: api.ids.zoneId },
  });
  return String(rows(answer)[0]?.['id']);
}

test('a template is answered at once, with the job that brings it to the pools', async (t) => {
  const api = await withTestApi(t);
  const templateid = await registered(api);
  const answer = await api.call('prepareTemplate', { templateid, zoneid: api.ids.zoneId });
  assert.equal(answer.status, 200, answer.text);
  const [row] = rows(answer);
  assert.equal(row?.['id'], templateid);
  assert.match(String(row?.['jobid']), /^[0-9a-f-]{36}$/);
});

test('what cannot be prepared is refused by name', async (t) => {
  const api = await withTestApi(t);
  const templateid = await registered(api);
  const { zoneId: zoneid } = api.ids;
  for (const [params, rule] of [
    [{ templateid: randomUUID(), zoneid }, /templateid/],
    [{ templateid, zoneid: randomUUID() }, /zoneid/],
    [{ templateid, zoneid, storageid: randomUUID() }, /storageid/],
  ] as const) {
    const answer = await api.call('prepareTemplate', params);
    assert.equal(answer.status, 431, answer.text);
    assert.match(answer.text, rule);
  }
  await api.database.updateTable('storage_pool').set({ status: 'Maintenance' }).execute();
  const nowhere = await api.call('prepareTemplate', { templateid, zoneid });
  assert.match(nowhere.text, /has no storage pool that is Up/);
  const ann = await addTenant(api.database, 'ann');
  assert.notEqual((await api.call('prepareTemplate', { templateid, zoneid }, ann)).status, 200);
});
