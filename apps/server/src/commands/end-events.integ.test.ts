import assert from 'node:assert/strict';
import { test } from 'node:test';
import { giveBelongings } from '../http/testing/tenants.ts';
import { addHost, addTenant, type Keys, rows, type TestApi, withTestApi } from '../http/testing/test-api.ts';
import { recordEvent } from '../store/events.ts';

async function withEvents(t: Parameters<typeof withTestApi>[0]) {
  const api = await withTestApi(t);
  const ada = await addTenant(api.database, 'ada');
  const bob = await addTenant(api.database, 'bob');
  const tell = (type: 'VM.START' | 'VM.STOP' | 'ALERT.USERVM', owner: typeof ada) =>
    recordEvent(api.database, {
      ...{ type, description: `${type} of somebody` },
      ...{ userId: owner.userId, accountId: owner.accountId },
    });
  return { api, ada, bob, tell };
}

const listed = async (api: TestApi, params: Record<string, string> = {}, keys?: Keys) =>
  rows(await api.call('listEvents', { listall: 'true', ...params }, keys)).map(({ id }) => id);
const alerts = async (api: TestApi) => rows(await api.call('listAlerts')).map(({ id }) => id);

test('archived events leave the list and are found by asking for them; others’ are untouched', async (t) => {
  const { api, ada, bob, tell } = await withEvents(t);
  const [first, second, others] = [
    await tell('VM.START', ada),
    await tell('VM.STOP', ada),
    await tell('VM.START', bob),
  ];
  assert.equal((await api.call('archiveEvents', { ids: first }, ada)).content['success'], true);
  assert.deepEqual(await listed(api, {}, ada), [second]);
  const archived = rows(await api.call('listEvents', { archived: 'true' }, ada));
  assert.deepEqual(
    archived.map((event) => [event['id'], event['archived']]),
    [[first, true]],
  );
  const mixed = await api.call('archiveEvents', { ids: `${second},${others}` }, ada);
  assert.equal(mixed.status, 431);
  assert.match(mixed.text, new RegExp(`ids.*${others}|${others}.*ids`));
  assert.deepEqual(await listed(api, {}, ada), [second], 'one wrong ID, and nothing is done');
  await api.call('archiveEvents', { type: 'vm.start' }, ada);
  assert.deepEqual(await listed(api, { type: 'VM.START' }, bob), [others], 'a type means one’s own events');
});

test('deleted events are gone, archived ones too, and that they are is an event', async (t) => {
  const { api, ada, tell } = await withEvents(t);
  const [old, archived, recent] = [
    await tell('VM.START', ada),
    await tell('VM.STOP', ada),
    await tell('VM.STOP', ada),
  ];
  await api.database
    .updateTable('event')
    .set({ created: new Date('2020-05-05T12:00:00Z') } as object)
    .where('uuid', '=', old)
    .execute();
  await api.call('archiveEvents', { ids: archived }, ada);
  await api.call('deleteEvents', { ids: archived }, ada);
  assert.deepEqual(await listed(api, { archived: 'true' }, ada), []);
  assert.ok((await listed(api, {}, ada)).includes(old));
  await api.call('deleteEvents', { startdate: '2020-05-01', enddate: '2020-05-04' }, ada);
  assert.ok((await listed(api, {}, ada)).includes(old), 'it came later');
  await api.call('deleteEvents', { startdate: '2020-05-01', enddate: '2020-05-05' }, ada);
  const left = await listed(api, {}, ada);
  assert.ok(!left.includes(old) && left.includes(recent), 'the whole last day is meant');
  const told = rows(await api.call('listEvents', { type: 'EVENTS.DELETE' }, ada));
  assert.deepEqual(
    told.map(({ description }) => description),
    ['user ada deleted 1 event', 'user ada deleted 1 event'],
  );
  const refusals = [
    [{}, /ids/],
    [{ startdate: '2020-05-01', ids: recent }, /startdate.*enddate/],
    [{ ids: 'x' }, /ids/],
  ] as const;
  for (const [params, rule] of refusals) {
    const answer = await api.call('deleteEvents', params, ada);
    assert.equal(answer.status, 431);
    assert.match(answer.text, rule);
  }
  assert.ok((await listed(api, {}, ada)).includes(recent));
});

test('an alert and the event that it is end each for itself', async (t) => {
  const { api, ada, tell } = await withEvents(t);
  const [first, second, third] = [
    await tell('ALERT.USERVM', ada),
    await tell('ALERT.USERVM', ada),
    await tell('ALERT.USERVM', ada),
  ];
  await api.call('deleteEvents', { ids: first }, ada);
  assert.ok(!(await listed(api)).includes(first));
  assert.deepEqual(await alerts(api), [third, second, first], 'a tenant cannot make an alert go away');
  await api.call('archiveAlerts', { ids: second });
  assert.deepEqual(await alerts(api), [third, first]);
  assert.ok((await listed(api)).includes(second), 'the event stays');
  assert.equal((await api.call('archiveAlerts', { ids: second })).status, 431, 'it is no alert any more');
  assert.match((await api.call('deleteAlerts', { type: '99' })).text, /there is no alert of type 99/);
  await api.call('deleteAlerts', { type: '8' });
  assert.deepEqual(await alerts(api), []);
  assert.ok((await listed(api)).includes(third));
  const kept = await api.database.selectFrom('event').select('uuid').where('uuid', '=', first).execute();
  assert.deepEqual(kept, [], 'what is neither an event nor an alert any more is not kept');
  assert.equal((await api.call('archiveAlerts', { ids: third }, ada)).status, 432);
});

test('resources are counted anew by account and by domain, as limits name them', async (t) => {
  const api = await withTestApi(t);
  const { hostId } = await addHost(api.database, 'host1');
  const { owner } = await giveBelongings(api.database, 'ada', hostId);
  await giveBelongings(api.database, 'bob', hostId);
  const counts = async (params: Record<string, string>) =>
    Object.fromEntries(
      rows(await api.call('updateResourceCount', { domainid: owner.domainUuid, ...params })).map((row) => [
        row['resourcetypename'],
        row['resourcecount'],
      ]),
    );
  const ada = await counts({ account: 'ada' });
  assert.deepEqual([ada['user_vm'], ada['volume'], ada['template'], ada['primary_storage']], [2, 3, 2, 3]);
  const acme = await counts({});
  assert.equal(acme['user_vm'], 4);
  assert.deepEqual(await counts({ account: 'ada', resourcetype: '2' }), { volume: 3 });
  const none = await api.call('updateResourceCount', { domainid: owner.domainUuid, resourcetype: '3' });
  assert.match(none.text, /resourcetype.*snapshot: there are none/);
  await api.database.updateTable('vm_instance').set({ state: 'Destroyed' }).execute();
  assert.deepEqual(await counts({ account: 'ada', resourcetype: '0' }), { user_vm: 0 });
});
