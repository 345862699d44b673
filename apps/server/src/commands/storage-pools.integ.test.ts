import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { silentLogger } from '@millrace/core';
import { AgentCallError } from '../domain/failure-policy.ts';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addHost, type Params, rows, withTestApi } from '../http/testing/test-api.ts';
import { attachMissingPools } from '../workflows/attach-pools.ts';

const { signal } = new AbortController();
const space = { capacityBytes: 1000, availableBytes: 600 };

async function withHosts(t: TestContext) {
  const api = await withTestApi(t);
  const hosts = [await addHost(api.database, 'host1'), await addHost(api.database, 'host2')];
  const localPath = '/mnt/shared';
  api.agents.answers['pool.attach'] = () => ({ ...space, localPath });
  api.agents.answers['pool.detach'] = () => ({});
  const create = (params: Params = {}) =>
    api.call('createStoragePool', {
      name: 'shared',
      url: 'SharedMountPoint://localhost/mnt/shared',
      zoneid: api.ids.zoneId,
      ...params,
    });
  const links = () =>
    api.database
      .selectFrom('storage_pool_host_ref')
      .innerJoin('storage_pool', 'storage_pool.id', 'pool_id')
      .where('scope', '!=', 'HOST')
      .select(['host_id', 'local_path'])
      .orderBy('host_id')
      .execute();
  return { ...api, hosts, create, links };
}

const poolOf = (answer: { readonly content: Record<string, unknown> }) =>
  answer.content['storagepool'] as Record<string, unknown>;

test('every host of the scope is asked to reach a new pool, the first one marks it', async (t) => {
  const api = await withHosts(t);
  const answer = await api.create({ tags: 'ssd, fast' });
  assert.equal(answer.status, 200, answer.text);
  const pool = poolOf(answer);
  assert.deepEqual(
    [pool['state'], pool['scope'], pool['type'], pool['tags'], pool['disksizetotal'], pool['disksizeused']],
    ['Up', 'CLUSTER', 'SharedMountPoint', 'ssd,fast', 1000, 400],
  );
  assert.deepEqual(
    api.agents.calls.map(({ hostId, params }) => [hostId, (params as { first: boolean }).first]),
    [
      [api.hosts[0]!.hostId, true],
      [api.hosts[1]!.hostId, false],
    ],
  );
  assert.equal((await api.links()).length, 2);
  assert.match(String((await api.create()).content['errortext']), /name: there is a storage pool shared/);
  assert.match(
    String((await api.create({ name: 'b' })).content['errortext']),
    /url: is the storage pool shared/,
  );
});

test('one host that reaches it is enough, and the others are asked again until they do', async (t) => {
  const api = await withHosts(t);
  let mounted = false;
  api.agents.answers['pool.attach'] = (_, hostId) => {
    if (hostId === api.hosts[0]!.hostId && !mounted)
      throw new AgentCallError('POOL_UNAVAILABLE', 'nothing is mounted on /mnt/shared');
    return { ...space, localPath: '/mnt/shared' };
  };
  const pool = poolOf(await api.create());
  assert.equal(pool['state'], 'Up');
  assert.deepEqual(
    (await api.links()).map(({ host_id }) => host_id),
    [api.hosts[1]!.hostId],
  );
  const [event] = rows(await api.call('listEvents', { type: 'STORAGE.POOL.CREATE' }));
  assert.match(String(event!['description']), /1 of 2; host1: nothing is mounted/);
  const round = () => attachMissingPools({ ...api, log: silentLogger, signal });
  await round();
  assert.equal((await api.links()).length, 1);
  mounted = true;
  await round();
  assert.equal((await api.links()).length, 2);
});

test('a pool that no host reaches, and what breaks a rule, is refused and leaves no row', async (t) => {
  const api = await withHosts(t);
  const before = await snapshotOf(api.database);
  const cases: readonly (readonly [RegExp, Params])[] = [
    [/zoneid/, { zoneid: randomUUID() }],
    [/scope: must be cluster or zone/, { scope: 'host' }],
    [/clusterid/, { clusterid: randomUUID() }],
    [/hypervisor/, { scope: 'zone', hypervisor: 'Xen' }],
    [/url/, { url: 'nfs://nas' }],
    [/tags: a b is no tag/, { tags: 'a b' }],
    [/managed/, { managed: 'true' }],
  ];
  for (const [rule, params] of cases) {
    const answer = await api.create(params);
    assert.equal(answer.status, 431, rule.source);
    assert.match(String(answer.content['errortext']), rule);
  }
  api.agents.answers['pool.attach'] = () => {
    throw new AgentCallError('POOL_UNAVAILABLE', 'nothing is mounted there');
  };
  const answer = await api.create();
  assert.match(
    String(answer.content['errortext']),
    /no host reaches.*host1: nothing is mounted there\. host2: /,
  );
  assert.deepEqual(await snapshotOf(api.database), before);
});

test('a pool is changed, and deleted when nothing is on it: its mark goes with the last mount', async (t) => {
  const api = await withHosts(t);
  const id = String(poolOf(await api.create())['id']);
  const update = async (params: Params) => poolOf(await api.call('updateStoragePool', { id, ...params }));
  assert.equal((await update({ enabled: 'false' }))['state'], 'Disabled');
  const changed = await update({ enabled: 'true', tags: 'gold', name: 'renamed' });
  assert.deepEqual([changed['state'], changed['tags'], changed['name']], ['Up', 'gold', 'renamed']);

  const remove = (params: Params = {}) => api.call('deleteStoragePool', { id, ...params });
  assert.match(String((await remove()).content['errortext']), /is Up: enableStorageMaintenance first/);
  const { id: poolId } = await api.database
    .selectFrom('storage_pool')
    .select('id')
    .where('uuid', '=', id)
    .executeTakeFirstOrThrow();
  const zone = await api.database.selectFrom('data_center').select('id').executeTakeFirstOrThrow();
  const account = await api.database.selectFrom('account').select('id').executeTakeFirstOrThrow();
  await api.database
    .insertInto('volumes')
    .values({
      uuid: randomUUID(),
      name: 'ROOT-1',
      state: 'Ready',
      pool_id: poolId,
      data_center_id: zone.id,
      account_id: account.id,
    })
    .execute();
  assert.match(
    String((await remove({ forced: 'true' })).content['errortext']),
    /has disks, ROOT-1 of no instance for one/,
  );
  await api.database.updateTable('volumes').set({ state: 'Expunged' }).execute();
  api.agents.calls.length = 0;
  const answer = await remove({ forced: 'true' });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(
    api.agents.calls.map(({ method, params }) => [method, (params as { last: boolean }).last]),
    [
      ['pool.detach', false],
      ['pool.detach', true],
    ],
  );
  assert.deepEqual(rows(await api.call('listStoragePools', { id })), []);
  assert.deepEqual(await api.links(), []);
  assert.equal((await api.create()).status, 200, 'its directory may be a pool again');
});

test('an RBD pool is shown with its monitor and its name; its secret goes to hosts, and is in no answer, event or job', async (t) => {
  const api = await withHosts(t);
  const secret = 'AQ+topsecret/of/ceph==';
  const url = 'rbd://cloud:AQ-topsecret_of_ceph==@10.0.0.9:6790/primary';
  const answer = await api.create({ name: 'ceph', url, scope: 'zone' });
  const pool = poolOf(answer);
  assert.deepEqual(
    [pool['state'], pool['type'], pool['ipaddress'], pool['path']],
    ['Up', 'RBD', '10.0.0.9', 'primary'],
    answer.text,
  );
  assert.deepEqual((api.agents.calls[0]!.params as { pool: object }).pool, {
    uuid: pool['id'],
    type: 'RBD',
    path: 'primary',
    rbd: { monitors: ['10.0.0.9:6790'], user: 'cloud', secret },
  });
  const again = await api.create({ name: 'other', url });
  assert.match(String(again.content['errortext']), /url: is the storage pool ceph/);
  const told = [
    answer.text,
    again.text,
    ...(await Promise.all(
      ['listStoragePools', 'listEvents', 'listAsyncJobs', 'listAlerts'].map(
        async (command) => (await api.call(command, {})).text,
      ),
    )),
  ];
  for (const text of told) assert.doesNotMatch(text, /topsecret/);
});
