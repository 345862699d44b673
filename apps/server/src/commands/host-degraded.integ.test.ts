import assert from 'node:assert/strict';
import { test } from 'node:test';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addHost, addTenant, rows, withTestApi } from '../http/testing/test-api.ts';

test('a host that is away is declared degraded, and takes instances again when that is cancelled', async (t) => {
  const api = await withTestApi(t);
  const { hostId, hostUuid: id } = await addHost(api.database, 'host1');
  await api.database.updateTable('host').set({ status: 'Alert' }).where('id', '=', hostId).execute();
  const state = async () => rows(await api.call('listHosts', { id }))[0]!['resourcestate'];
  assert.equal((await api.call('declareHostAsDegraded', { id })).status, 200);
  assert.equal(await state(), 'Degraded');
  const events = rows(await api.call('listEvents', { type: 'HOST.DECLARE.DEGRADED' }));
  assert.match(String(events[0]!['description']), /host1 is declared degraded/);
  assert.equal((await api.call('cancelHostAsDegraded', { id })).status, 200);
  assert.equal(await state(), 'Enabled');
});

test('a host that is there is not declared degraded, nor cancelled what was never declared, and nothing changes', async (t) => {
  const api = await withTestApi(t);
  const ann = await addTenant(api.database, 'ann');
  const { hostUuid: id } = await addHost(api.database, 'host1');
  const before = await snapshotOf(api.database);
  const cases = [
    ['declareHostAsDegraded', { id }, /host1 is Up: only one that is Disconnected, in Alert or Down/],
    ['cancelHostAsDegraded', { id }, /host1 is in the resource state Enabled/],
    ['declareHostAsDegraded', { id: api.ids.zoneId }, /id value=.*entity does not exist/],
    ['declareHostAsDegraded', {}, /missing parameter id/],
  ] as const;
  for (const [command, params, reason] of cases) {
    const answer = await api.call(command, params);
    assert.equal(answer.status, 431, command);
    assert.match(String(answer.content['errortext']), reason);
  }
  assert.notEqual((await api.call('declareHostAsDegraded', { id }, ann)).status, 200);
  assert.deepEqual(await snapshotOf(api.database), before);
});
