import assert from 'node:assert/strict';
import { test } from 'node:test';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addHost, addTenant, rows, withTestApi } from '../http/testing/test-api.ts';
import { workingHosts } from '../store/host-list.ts';

test('a disabled host is given no more work until it is enabled again', async (t) => {
  const api = await withTestApi(t);
  const { hostUuid: id } = await addHost(api.database, 'host1');
  const zone = await api.database.selectFrom('data_center').select('id').executeTakeFirstOrThrow();
  const set = async (allocationstate: string) => {
    const answer = await api.call('updateHost', { id, allocationstate });
    return (answer.content['host'] as { resourcestate: string }).resourcestate;
  };
  assert.equal(await set('Disable'), 'Disabled');
  assert.deepEqual(await workingHosts(api.database, [zone.id]), []);
  assert.equal(rows(await api.call('listHosts', { resourcestate: 'Disabled' })).length, 1);
  assert.equal(await set('Disable'), 'Disabled');
  assert.equal(await set('enable'), 'Enabled');
  assert.equal((await workingHosts(api.database, [zone.id])).length, 1);
  const events = rows(await api.call('listEvents', { type: 'HOST.EDIT' }));
  assert.equal(events.length, 2, 'asking for what is so already is no event');
});

test('what cannot be done to a host is refused by name and changes nothing', async (t) => {
  const api = await withTestApi(t);
  const ann = await addTenant(api.database, 'ann');
  const { hostId, hostUuid: id } = await addHost(api.database, 'host1');
  await api.database
    .updateTable('host')
    .set({ resource_state: 'Maintenance' })
    .where('id', '=', hostId)
    .execute();
  const before = await snapshotOf(api.database);
  const cases = [
    [{ id, allocationstate: 'Enable' }, /allocationstate: a host in Maintenance does not allow Enable/],
    [{ id, allocationstate: 'on' }, /allocationstate: must be one of Enable, Disable/],
    [{ id, hosttags: 's sd' }, /hosttags/],
    [{ id: api.ids.zoneId, allocationstate: 'Disable' }, /id value=.*entity does not exist/],
  ] as const;
  for (const [params, reason] of cases) {
    const answer = await api.call('updateHost', params);
    assert.equal(answer.status, 431);
    assert.match(String(answer.content['errortext']), reason);
  }
  assert.notEqual((await api.call('updateHost', { id, allocationstate: 'Disable' }, ann)).status, 200);
  assert.deepEqual(await snapshotOf(api.database), before);
});
