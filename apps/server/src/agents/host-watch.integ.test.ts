import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@millrace/core';
import { withTestDatabase } from '../../../../test/postgres.ts';
import { until } from '../jobs/testing/job-fixture.ts';
import { insertCloud, insertHost, insertTemplate, insertVm } from '../store/testing/cloud-rows.ts';
import { makeConnections } from './connections.ts';
import { startHostWatch } from './host-watch.ts';

test('a silent host is Disconnected, then in Alert with its instances Unknown, and one that is heard stays Up', async (t) => {
  const { database } = await withTestDatabase(t);
  const cloud = await insertCloud(database);
  const silent = await insertHost(database, cloud, 'silent');
  const heard = await insertHost(database, cloud, 'heard');
  const templateId = await insertTemplate(database, cloud);
  const vm = await insertVm(database, cloud, { templateId, state: 'Running', hostId: silent.hostId });
  let now = new Date();
  const watch = startHostWatch({
    database,
    connections: makeConnections(),
    log: silentLogger,
    now: () => now,
    silenceMs: 15_000,
    checkEveryMs: 3_600_000,
  });
  t.after(() => watch.stop());
  const status = async (hostId: number) =>
    (await database.selectFrom('host').select('status').where('id', '=', hostId).executeTakeFirstOrThrow())
      .status;
  const later = async (seconds: number) => {
    now = new Date(now.getTime() + seconds * 1000);
    await database.updateTable('host').set({ last_ping: now }).where('id', '=', heard.hostId).execute();
    await watch.check();
  };

  await later(10);
  assert.equal(await status(silent.hostId), 'Up');
  await later(10);
  assert.equal(await status(silent.hostId), 'Disconnected');
  await later(30);
  assert.equal(await status(silent.hostId), 'Disconnected');
  const state = async () =>
    (
      await database
        .selectFrom('vm_instance')
        .select('state')
        .where('id', '=', vm.vmId)
        .executeTakeFirstOrThrow()
    ).state;
  assert.equal(await state(), 'Running');
  await later(31);
  assert.equal(await status(silent.hostId), 'Alert');
  assert.equal(await state(), 'Unknown');
  assert.equal(await status(heard.hostId), 'Up');
  const events = await database.selectFrom('event').select(['type', 'level']).execute();
  assert.deepEqual(events, [
    { type: 'HOST.DISCONNECT', level: 'WARN' },
    { type: 'ALERT.COMPUTE.HOST', level: 'ERROR' },
  ]);
});

test('a host that lost its connection here and found another server stays Up', async (t) => {
  const { database } = await withTestDatabase(t);
  const cloud = await insertCloud(database);
  const moved = await insertHost(database, cloud, 'moved');
  const gone = await insertHost(database, cloud, 'gone');
  const watch = startHostWatch({
    database,
    connections: makeConnections(),
    log: silentLogger,
    now: () => new Date(),
    silenceMs: 3_600_000,
    graceMs: 300,
    checkEveryMs: 3_600_000,
  });
  t.after(() => watch.stop());
  const status = async (hostId: number) =>
    (await database.selectFrom('host').select('status').where('id', '=', hostId).executeTakeFirstOrThrow())
      .status;
  watch.lost(moved.hostId);
  watch.lost(gone.hostId);
  // the hello that the other server hears
  await database
    .updateTable('host')
    .set({ last_ping: new Date(Date.now() + 50) })
    .where('id', '=', moved.hostId)
    .execute();
  await until('the grace to be over', async () => (await status(gone.hostId)) === 'Disconnected');
  assert.equal(await status(moved.hostId), 'Up');
});
