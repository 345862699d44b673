import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usableProbe } from '../http/testing/fake-ports.ts';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addHost, addTenant, rows, withTestApi } from '../http/testing/test-api.ts';
import { readSetting } from '../store/settings.ts';
import { tellOfFullPoolsOf } from '../workflows/housekeeping.ts';

test('settings are listed with value, default and type, and found by name and keyword', async (t) => {
  const api = await withTestApi(t);
  const all = await api.call('listConfigurations');
  assert.ok(Number(all.content['count']) > 20);
  const [one] = rows(await api.call('listConfigurations', { name: 'direct.download.connect.timeout' }));
  assert.equal(one!['value'], '5000');
  assert.equal(one!['defaultvalue'], '5000');
  assert.equal(one!['type'], 'Number');
  assert.equal(one!['category'], 'Storage');
  assert.equal((await api.call('listConfigurations', { keyword: 'expunge' })).content['count'], 3);
  assert.deepEqual((await api.call('listConfigurations', { name: 'no.such' })).content, {});
  const page = await api.call('listConfigurations', { page: '2', pagesize: '5' });
  assert.equal(rows(page).length, 5);
  assert.equal(page.content['count'], all.content['count']);
});

test('a changed setting is in force at once, and an empty value brings back the default', async (t) => {
  const api = await withTestApi(t);
  const name = 'direct.download.egress.allowed.cidrs';
  const changed = await api.call('updateConfiguration', { name, value: '127.0.0.0/8, fd00::/8' });
  assert.equal((changed.content['configuration'] as { value: string }).value, '127.0.0.0/8, fd00::/8');
  assert.equal(await readSetting(api.database, name), '127.0.0.0/8, fd00::/8');
  const back = await api.call('updateConfiguration', { name, value: '' });
  assert.equal((back.content['configuration'] as { value: string }).value, '');
  assert.equal(await readSetting(api.database, name), '');
  assert.equal(rows(await api.call('listEvents', { type: 'CONFIGURATION.VALUE.EDIT' })).length, 2);
});

test('illegal values of settings are refused and change nothing', async (t) => {
  const api = await withTestApi(t);
  const before = await snapshotOf(api.database);
  const cases = [
    ['direct.download.connect.timeout', '1'],
    ['direct.download.connect.timeout', '5s'],
    ['direct.download.checksum.attempts', '0'],
    ['direct.download.source.order', 'random'],
    ['direct.download.egress.allowed.cidrs', '10.0.0.0'],
    ['direct.download.egress.allowed.cidrs', '10.0.0.0/33'],
    ['template.direct.download.default', 'yes'],
    ['instance.name', 'a-b'],
  ] as const;
  for (const [name, value] of cases) {
    const answer = await api.call('updateConfiguration', { name, value });
    assert.equal(answer.status, 431, `${name}=${value}`);
    assert.match(String(answer.content['errortext']), /^Invalid parameter value: /);
  }
  assert.equal((await api.call('updateConfiguration', { name: 'no.such', value: '1' })).status, 431);
  assert.deepEqual(await snapshotOf(api.database), before);
});

test('users are found by account and name, and never shown with their secret', async (t) => {
  const api = await withTestApi(t);
  const ann = await addTenant(api.database, 'ann');
  const admins = await api.call('listUsers', { account: 'admin' });
  assert.equal(admins.content['count'], 1);
  assert.equal(rows(admins)[0]!['accounttype'], 1);
  const all = await api.call('listUsers', { listall: 'true' });
  assert.equal(all.content['count'], 2);
  assert.equal(all.text.includes(api.admin.secretKey) || all.text.includes('argon2'), false);
  const own = await api.call('listUsers', { listall: 'true' }, ann);
  assert.deepEqual(
    rows(own).map((row) => row['username']),
    ['ann'],
  );
  const found = await api.call('getUser', { userapikey: ann.apiKey });
  assert.equal((found.content['user'] as { username: string }).username, 'ann');
  assert.equal((await api.call('getUser', { userapikey: 'nobodys' })).status, 431);
});

test('keys are read and renewed by their user and by administrators above', async (t) => {
  const api = await withTestApi(t);
  const ann = await addTenant(api.database, 'ann');
  const bob = await addTenant(api.database, 'bob');
  const boss = await addTenant(api.database, 'boss', { type: 2 });
  const keys = await api.call('getUserKeys', { id: ann.userUuid }, ann);
  assert.deepEqual(keys.content, { userkeys: { apikey: ann.apiKey, secretkey: ann.secretKey } });
  assert.equal((await api.call('getUserKeys', { id: ann.userUuid })).status, 200);
  assert.equal((await api.call('getUserKeys', { id: ann.userUuid }, boss)).status, 200);
  assert.equal((await api.call('getUserKeys', { id: ann.userUuid }, bob)).status, 431);
  const renewed = await api.call('registerUserKeys', { id: ann.userUuid }, ann);
  const { apikey, secretkey } = renewed.content['userkeys'] as { apikey: string; secretkey: string };
  assert.notEqual(apikey, ann.apiKey);
  assert.equal((await api.call('listZones', {}, ann)).status, 401);
  assert.equal((await api.call('listZones', {}, { apiKey: apikey, secretKey: secretkey })).status, 200);
});

test('a domain admin of ROOT cannot take the keys of a root admin', async (t) => {
  const api = await withTestApi(t);
  const boss = await addTenant(api.database, 'boss', { type: 2 });
  assert.equal((await api.call('getUserKeys', { id: api.ids.userId }, boss)).status, 531);
  assert.equal((await api.call('registerUserKeys', { id: api.ids.userId }, boss)).status, 531);
});

test('the nearest value of a setting holds: of cloud, zone, cluster and pool, of domains and account', async (t) => {
  const api = await withTestApi(t);
  const { poolId } = await addHost(api.database, 'host1');
  const ada = await addTenant(api.database, 'ada', { domainPath: '/acme/lab/' });
  const bob = await addTenant(api.database, 'bob', { domainPath: '/acme/' });
  const eve = await addTenant(api.database, 'eve', { domainPath: '/rival/' });
  const uuidOf = async (table: 'storage_pool' | 'account', id: number) =>
    (await api.database.selectFrom(table).select('uuid').where('id', '=', id).executeTakeFirstOrThrow()).uuid;
  const acme = await api.database
    .selectFrom('domain')
    .selectAll()
    .where('path', '=', '/acme/')
    .executeTakeFirstOrThrow();
  const set = async (name: string, value: string, of: Record<string, string> = {}) => {
    const answer = await api.call('updateConfiguration', { name, value, ...of });
    assert.equal(answer.status, 200, answer.text);
    return answer.content['configuration'] as Record<string, unknown>;
  };
  const valueAt = async (name: string, of: Record<string, string>) =>
    rows(await api.call('listConfigurations', { name, ...of }))[0]?.['value'];

  const full = 'cluster.storage.capacity.notificationthreshold';
  const cluster = { clusterid: api.ids.clusterId };
  const pool = { storageid: await uuidOf('storage_pool', poolId) };
  assert.equal((await set(full, '0.8', cluster))['scope'], 'cluster');
  assert.equal(await readSetting(api.database, full, { poolId }), '0.8');
  assert.equal(await readSetting(api.database, full), '0.75');
  await set(full, '0.9', pool);
  assert.deepEqual([await valueAt(full, cluster), await valueAt(full, pool)], ['0.8', '0.9']);
  await api.database.updateTable('storage_pool').set({ capacity_bytes: 1000, used_bytes: 850 }).execute();
  assert.deepEqual(await tellOfFullPoolsOf(api.database), []);
  const reset = await api.call('resetConfiguration', { name: full, ...pool });
  assert.equal((reset.content['configuration'] as Record<string, unknown>)['value'], '0.8');
  assert.equal((await tellOfFullPoolsOf(api.database)).length, 1);

  const open = 'allow.public.user.templates';
  await set(open, 'false', { domainid: acme.uuid });
  await set(open, 'true', { accountid: await uuidOf('account', ada.accountId) });
  const allowed = async (keys: typeof ada) =>
    ((await api.call('listCapabilities', {}, keys)).content['capability'] as Record<string, unknown>)[
      'userpublictemplateenabled'
    ];
  assert.deepEqual([await allowed(ada), await allowed(bob), await allowed(eve)], [true, false, true]);
  const inLab = await addTenant(api.database, 'sub', { domainPath: '/acme/lab/' });
  assert.equal(await allowed(inLab), false, 'what holds in a domain holds below it');

  api.agents.answers['image.probe'] = () => usableProbe();
  await set('direct.download.egress.allowed.cidrs', '10.0.0.0/8', { zoneid: api.ids.zoneId });
  await api.call('probeTemplate', { url: 'https://images.example/x', zoneid: api.ids.zoneId });
  const { policy } = api.agents.calls.at(-1)!.params as { policy: { egressAllowedCidrs: string[] } };
  assert.deepEqual(policy.egressAllowedCidrs, ['10.0.0.0/8']);

  const ofZone = rows(await api.call('listConfigurations', { zoneid: api.ids.zoneId, category: 'Storage' }));
  assert.ok(ofZone.length > 10 && ofZone.every((row) => row['scope'] === 'zone'));
  const [listed] = rows(await api.call('listConfigurations', { name: full }));
  assert.deepEqual([listed!['scope'], listed!['value']], ['cluster,storagepool', '0.75']);
});

test('values of what has none, or is not there, are refused and change nothing', async (t) => {
  const api = await withTestApi(t);
  const before = await snapshotOf(api.database);
  const zoneid = api.ids.zoneId;
  for (const [name, of, text] of [
    ['session.timeout', { zoneid }, /zoneid: session.timeout has one value for the whole cloud/],
    ['mem.overprovisioning.factor', { zoneid }, /values of the whole cloud and of each cluster/],
    ['direct.download.rate.limit', { zoneid: api.ids.clusterId }, /does not exist/],
    ['direct.download.rate.limit', { zoneid, clusterid: api.ids.clusterId }, /does not go with zoneid/],
  ] as const) {
    const answer = await api.call('updateConfiguration', { name, value: '900', ...of });
    assert.equal(answer.status, 431, answer.text);
    assert.match(answer.text, text);
  }
  assert.equal((await api.call('listConfigurations', { accountid: zoneid })).status, 431);
  assert.deepEqual(await snapshotOf(api.database), before);
});
