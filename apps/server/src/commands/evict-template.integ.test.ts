import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { usableProbe } from '../http/testing/fake-ports.ts';
import { addHost, addTenant, rows, type TestApi, withTestApi } from '../http/testing/test-api.ts';

/** A template with a copy on the pool of the only host. */
async function withCopy(api: TestApi) {
  await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  const answer = await api.call('registerTemplate', {
    ...{ name: 'tiny', displaytext: 'tiny', url: 'https://images.example/tiny.qcow2', format: 'QCOW2' },
    ...{ hypervisor: 'KVM', directdownload: 'true', zoneid: api.ids.zoneId },
  });
  const templateid = String(rows(answer)[0]?.['id']);
  const template = await api.database
    .selectFrom('vm_template')
    .select(['id', 'account_id'])
    .where('uuid', '=', templateid)
    .executeTakeFirstOrThrow();
  const pool = await api.database.selectFrom('storage_pool').selectAll().executeTakeFirstOrThrow();
  const insertCopy = () =>
    api.database
      .insertInto('template_spool_ref')
      .values({ pool_id: pool.id, template_id: template.id, download_state: 'DOWNLOADED', state: 'Ready' })
      .execute();
  return { templateid, template, pool, storageid: pool.uuid, insertCopy };
}

test('a job is begun that removes the copy from the pool', async (t) => {
  const api = await withTestApi(t);
  const { templateid, storageid, template, pool, insertCopy } = await withCopy(api);
  await insertCopy();
  const answer = await api.call('evictTemplate', { templateid, storageid });
  assert.equal(answer.status, 200, answer.text);
  assert.match(String(answer.content['jobid']), /^[0-9a-f-]{36}$/);
  const job = await api.database.selectFrom('async_job').selectAll().executeTakeFirstOrThrow();
  assert.deepEqual(job.job_cmd_info, { templateId: template.id, poolId: pool.id });
  const again = await api.call('evictTemplate', { templateid, storageid });
  assert.equal(again.status, 536, 'one job on a template at a time');
});

test('what cannot be evicted is refused by name, and nothing is begun', async (t) => {
  const api = await withTestApi(t);
  const { templateid, storageid, template, pool, insertCopy } = await withCopy(api);
  for (const [params, rule] of [
    [{ templateid: randomUUID(), storageid }, /templateid/],
    [{ templateid, storageid: randomUUID() }, /storageid/],
    [{ templateid, storageid }, /storageid.*has no copy of template tiny/],
    [{ templateid }, /storageid/],
  ] as const) {
    const answer = await api.call('evictTemplate', params);
    assert.equal(answer.status, 431, answer.text);
    assert.match(answer.text, rule);
  }
  await insertCopy();
  await api.database
    .insertInto('volumes')
    .values({
      ...{ uuid: randomUUID(), name: 'ROOT-7', state: 'Destroy', size: 1, account_id: template.account_id },
      ...{ template_id: template.id, pool_id: pool.id, data_center_id: pool.data_center_id },
    })
    .execute();
  const used = await api.call('evictTemplate', { templateid, storageid });
  assert.equal(used.status, 536, used.text);
  assert.match(used.text, /is below ROOT-7 of no instance/, 'its file is an overlay until it is gone');
  const ann = await addTenant(api.database, 'ann');
  assert.equal((await api.call('evictTemplate', { templateid, storageid }, ann)).status, 432);
  assert.deepEqual(await api.database.selectFrom('async_job').select('uuid').execute(), []);
});

test('the setting for changed sources has three values', async (t) => {
  const api = await withTestApi(t);
  const name = 'template.source.changed';
  assert.equal((await api.call('updateConfiguration', { name, value: 'pin' })).status, 200);
  const refused = await api.call('updateConfiguration', { name, value: 'ignore' });
  assert.equal(refused.status, 431);
  assert.match(refused.text, /must be one of refuse, follow, pin/);
});
