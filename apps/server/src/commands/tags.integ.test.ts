import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { giveBelongings } from '../http/testing/tenants.ts';
import { addHost, rows, withTestApi } from '../http/testing/test-api.ts';

async function withBelongings(t: Parameters<typeof withTestApi>[0]) {
  const api = await withTestApi(t);
  const { hostId } = await addHost(api.database, 'host1');
  const own = await giveBelongings(api.database, 'ada', hostId);
  const call = (command: string, params: Record<string, string>) => api.call(command, params, own.owner);
  return { api, own, call, hostId };
}

test('tags of every kind of resource are made, shown, found and taken off', async (t) => {
  const { own, call } = await withBelongings(t);
  const kinds = [
    ['UserVm', own.vm, 'listVirtualMachines', {}],
    ['template', own.template, 'listTemplates', { templatefilter: 'self' }],
    ['ISO', own.iso, 'listIsos', { isofilter: 'self' }],
    ['userVm', own.stoppedVm, 'listVirtualMachines', {}],
    ['Volume', own.volume, 'listVolumes', {}],
    ['network', own.network, 'listNetworks', {}],
  ] as const;
  for (const [resourcetype, id, list, params] of kinds) {
    const made = await call('createTags', {
      ...{ resourceids: id, resourcetype },
      ...{
        'tags[0].key': 'env',
        'tags[0].value': id.slice(0, 8),
        'tags[1].key': 'team',
        'tags[1].value': 'a b',
      },
    });
    assert.equal(made.status, 200, made.text);
    const found = rows(
      await call(list, { ...params, 'tags[0].key': 'env', 'tags[0].value': id.slice(0, 8) }),
    );
    assert.deepEqual(
      found.map((row) => row['id']),
      [id],
    );
    const tags = (found[0]!['tags'] as Record<string, unknown>[]).filter((tag) => tag['key'] !== 'made-for');
    assert.deepEqual(
      tags.map(({ key, value, resourceid }) => ({ key, value, resourceid })),
      [
        { key: 'env', value: id.slice(0, 8), resourceid: id },
        { key: 'team', value: 'a b', resourceid: id },
      ],
    );
    const none = await call(list, { ...params, 'tags[0].env': id.slice(0, 8), 'tags[1].team': 'other' });
    assert.deepEqual(rows(none), [], 'all tags must be there');
  }
  assert.equal(rows(await call('listTags', { key: 'team' })).length, 6);
  assert.equal(rows(await call('listTags', { resourcetype: 'uservm', key: 'team' })).length, 2);
  assert.equal(rows(await call('listTags', { resourceid: own.volume })).length, 2);
  const removed = await call('deleteTags', {
    ...{ resourceids: own.volume, resourcetype: 'Volume', 'tags[0].key': 'team' },
  });
  assert.equal(removed.status, 200, removed.text);
  assert.deepEqual(
    rows(await call('listTags', { resourceid: own.volume })).map((tag) => tag['key']),
    ['env'],
  );
  const wrong = await call('deleteTags', {
    ...{ resourceids: own.volume, resourcetype: 'Volume', 'tags[0].env': 'other value' },
  });
  assert.match(wrong.text, /have no such tags/);
  assert.equal((await call('deleteTags', { resourceids: own.volume, resourcetype: 'Volume' })).status, 200);
  assert.deepEqual(rows(await call('listTags', { resourceid: own.volume })), []);
});

test('all resources get their tags or none', async (t) => {
  const { api, own, call, hostId } = await withBelongings(t);
  const stranger = await giveBelongings(api.database, 'eve', hostId);
  const before = await snapshotOf(api.database);
  const refusals = [
    [{ resourceids: `${own.vm},${stranger.vm}`, resourcetype: 'UserVm', 'tags[0].a': 'b' }, /resourceids/],
    [{ resourceids: `${own.vm},${randomUUID()}`, resourcetype: 'UserVm', 'tags[0].a': 'b' }, /resourceids/],
    [{ resourceids: own.vm, resourcetype: 'Volume', 'tags[0].a': 'b' }, /resourceids/],
    [
      { resourceids: own.vm, resourcetype: 'Moon', 'tags[0].a': 'b' },
      /resourcetype.*UserVm, Template, ISO, Volume, Network/,
    ],
    [{ resourceids: own.vm, resourcetype: 'UserVm' }, /tags/],
    [{ resourceids: own.vm, resourcetype: 'UserVm', 'tags[0].a': '' }, /tags/],
    [
      { resourceids: own.vm, resourcetype: 'UserVm', 'tags[0].made-for': 'x', 'tags[1].b': 'c' },
      /made-for.*already/,
    ],
    [{ resourceids: own.vm, resourcetype: 'UserVm', 'tags[0].a': 'x'.repeat(256) }, /255 characters/],
  ] as const;
  for (const [params, rule] of refusals) {
    const answer = await call('createTags', params);
    assert.equal(answer.status, 431, answer.text);
    assert.match(answer.text, rule);
  }
  assert.deepEqual(await snapshotOf(api.database), before);
});

test('a network that an account owns takes its tags; one of a domain takes none, from nobody', async (t) => {
  const { api, own, call } = await withBelongings(t);
  const shared = await api.database
    .selectFrom('networks')
    .select('uuid')
    .where('acl_type', '=', 'Domain')
    .executeTakeFirstOrThrow();
  const tag = { resourcetype: 'Network', 'tags[0].env': 'test' };
  for (const caller of [own.owner, api.admin]) {
    const refused = await api.call('createTags', { ...tag, resourceids: shared.uuid }, caller);
    assert.equal(refused.status, 431, refused.text);
    assert.match(refused.text, /resourceids/);
  }
  assert.equal((await call('createTags', { ...tag, resourceids: own.network })).status, 200);
  const [network] = rows(await call('listNetworks', { id: own.network }));
  assert.deepEqual(
    (network!['tags'] as Record<string, unknown>[]).map(({ key, value }) => [key, value]),
    [['env', 'test']],
  );
});

test('an instance gets the tags of its template when it is asked for, as tags of its own', async (t) => {
  const { api, own, call } = await withBelongings(t);
  await call('createTags', { resourceids: own.template, resourcetype: 'Template', 'tags[0].os': 'linux' });
  const offering = String(rows(await call('listServiceOfferings', {}))[0]!['id']);
  const deploy = async (params: Record<string, string>) => {
    const answer = await call('deployVirtualMachine', {
      ...{ zoneid: api.ids.zoneId, templateid: own.template, serviceofferingid: offering, startvm: 'false' },
      ...params,
    });
    assert.equal(answer.status, 200, answer.text);
    return String(answer.content['id']);
  };
  const tagsOf = async (resourceid: string) =>
    rows(await call('listTags', { resourceid })).map(({ key, value, resourcetype }) => [
      key,
      value,
      resourcetype,
    ]);
  assert.deepEqual(await tagsOf(await deploy({})), []);
  const tagged = await deploy({ copyimagetags: 'true' });
  assert.deepEqual(await tagsOf(tagged), [['os', 'linux', 'UserVm']]);
  await call('deleteTags', { resourceids: tagged, resourcetype: 'UserVm' });
  assert.deepEqual(await tagsOf(own.template), [['os', 'linux', 'Template']]);
});
