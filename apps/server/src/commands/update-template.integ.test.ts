import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { AgentCallError } from '../domain/failure-policy.ts';
import { usableProbe } from '../http/testing/fake-ports.ts';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addHost, addTenant, rows, type TestApi, withTestApi } from '../http/testing/test-api.ts';

const one = 'a'.repeat(64);
const two = 'b'.repeat(64);
const url = 'https://ada:hush@images.example/one.qcow2';

/** A registered template with a copy on a pool and a disk on it. */
async function withTemplate(t: Parameters<typeof withTestApi>[0], registered: Record<string, string> = {}) {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  const answer = await api.call('registerTemplate', {
    ...{ name: 'tiny', displaytext: 'tiny', url, format: 'QCOW2', hypervisor: 'KVM' },
    ...{ directdownload: 'true', zoneid: api.ids.zoneId, ...registered },
  });
  assert.equal(answer.status, 200, answer.text);
  const id = String(rows(answer)[0]!['id']);
  const template = await api.database.selectFrom('vm_template').selectAll().executeTakeFirstOrThrow();
  const pool = await api.database.selectFrom('storage_pool').selectAll().executeTakeFirstOrThrow();
  await api.database
    .insertInto('template_spool_ref')
    .values({ pool_id: pool.id, template_id: template.id, download_state: 'DOWNLOADED', state: 'Ready' })
    .execute();
  const volume = randomUUID();
  await api.database
    .insertInto('volumes')
    .values({
      ...{ uuid: volume, name: 'ROOT-1', state: 'Ready', size: 1, account_id: template.account_id },
      ...{ template_id: template.id, pool_id: pool.id, data_center_id: pool.data_center_id },
    })
    .execute();
  api.agents.calls.length = 0;
  const shown = async () => rows(await api.call('listTemplates', { templatefilter: 'self' }))[0]!;
  return { api, id, template, volume, shown };
}

const sourcesAsked = (api: TestApi) =>
  api.agents.calls.map(({ params }) => (params as { source: object }).source);

test('names, flags and place in lists change without asking anybody', async (t) => {
  const { api, id, shown } = await withTemplate(t);
  const answer = await api.call('updateTemplate', {
    ...{ id, name: 'small', displaytext: 'Small Linux', sshkeyenabled: 'true', passwordenabled: 'true' },
    ...{ isdynamicallyscalable: 'true', templatetag: 'gold', sortkey: '7', requireshvm: 'true' },
  });
  assert.equal(answer.status, 200, answer.text);
  const entity = answer.content['template'] as Record<string, unknown>;
  assert.deepEqual(entity, await shown());
  assert.equal(entity['name'], 'small');
  assert.equal(entity['displaytext'], 'Small Linux');
  assert.equal(entity['sshkeyenabled'], true);
  assert.equal(entity['templatetag'], 'gold');
  assert.deepEqual(api.agents.calls, []);
  assert.equal((entity['downloaddetails'] as unknown[]).length, 1, 'it is the same image');
  const event = rows(await api.call('listEvents', { type: 'TEMPLATE.UPDATE' }))[0]!;
  assert.match(
    String(event['description']),
    /changed name, displaytext.* of template small|of template tiny/,
  );
});

test('another image is looked at, the one before stays below its disks, and new copies are of the new one', async (t) => {
  const { api, id, template, volume, shown } = await withTemplate(t);
  const answer = await api.call('updateTemplate', {
    ...{ id, url: 'https://images.example/two.qcow2', checksum: two },
  });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(sourcesAsked(api), [
    {
      url: 'https://images.example/two.qcow2',
      headers: {},
      format: 'qcow2',
      checksum: `{SHA-256}${two}`,
    },
  ]);
  const entity = await shown();
  assert.equal(entity['id'], id);
  assert.equal(entity['url'], 'https://images.example/two.qcow2');
  assert.equal(entity['checksum'], two);
  assert.deepEqual(entity['downloaddetails'], [], 'no pool has it yet');
  const all = await api.database.selectFrom('vm_template').selectAll().orderBy('id').execute();
  assert.equal(all.length, 2);
  const [living, aside] = all;
  assert.equal(living!.id, template.id);
  assert.equal(aside!.superseded_by, template.id);
  assert.ok(aside!.removed);
  assert.equal(aside!.url, url);
  assert.equal(aside!.image_uuid, id, 'its file on pools keeps its name');
  assert.ok(living!.image_uuid && living!.image_uuid !== id, 'the new file must not replace it');
  const spool = await api.database.selectFrom('template_spool_ref').selectAll().execute();
  assert.deepEqual(
    spool.map(({ template_id }) => template_id),
    [aside!.id],
  );
  const disk = rows(await api.call('listVolumes', { id: volume }))[0]!;
  assert.equal(disk['templateid'], id, 'users see one template');
});

test('a mirror that moved brings no new image, and keeps the copies', async (t) => {
  const { api, id, shown } = await withTemplate(t, { checksum: one });
  const answer = await api.call('updateTemplate', { id, url: 'https://mirror.example/one.qcow2' });
  assert.equal(answer.status, 200, answer.text);
  const entity = await shown();
  assert.equal(entity['url'], 'https://mirror.example/one.qcow2');
  assert.equal(entity['checksum'], one);
  assert.equal((entity['downloaddetails'] as unknown[]).length, 1);
  assert.equal((await api.database.selectFrom('vm_template').selectAll().execute()).length, 1);
});

test('a checksum that is taken away leaves the image; one that is given for the first time does not', async (t) => {
  const { api, id, shown } = await withTemplate(t, { checksum: one });
  assert.equal((await api.call('updateTemplate', { id, checksum: 'none' })).status, 200);
  assert.equal((await shown())['checksum'], undefined);
  assert.equal((await api.database.selectFrom('vm_template').selectAll().execute()).length, 1);
  assert.equal((await api.call('updateTemplate', { id, checksum: two })).status, 200);
  assert.equal((await api.database.selectFrom('vm_template').selectAll().execute()).length, 2);
});

test('a header is renewed without being shown, and without fetching anything again', async (t) => {
  const { api, id, shown } = await withTemplate(t, {
    'details[0].HTTP_HEADER:Authorization': 'Bearer hush-one',
  });
  const params = {
    id,
    'details[0].HTTP_HEADER:Authorization': 'Bearer hush-two',
    'details[0].note': 'new token',
  };
  const answer = await api.call('updateTemplate', params);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.text.includes('hush'), false);
  assert.deepEqual((sourcesAsked(api)[0] as { headers: object }).headers, {
    Authorization: 'Bearer hush-two',
  });
  assert.deepEqual((await shown())['details'], { 'HTTP_HEADER:Authorization': '***', note: 'new token' });
  const kept = await api.call('updateTemplate', { id, 'details[0].HTTP_HEADER:Authorization': '***' });
  assert.equal(kept.status, 200, kept.text);
  assert.deepEqual((sourcesAsked(api)[1] as { headers: object }).headers, {
    Authorization: 'Bearer hush-two',
  });
  assert.equal(((await shown()) as { downloaddetails: unknown[] }).downloaddetails.length, 1);
  assert.equal((await api.call('updateTemplate', { id, cleanupdetails: 'true' })).status, 200);
  assert.deepEqual((await shown())['details'], {});
});

test('a source that is no good changes nothing', async (t) => {
  const { api, id } = await withTemplate(t);
  const before = await snapshotOf(api.database);
  api.agents.answers['image.probe'] = () => {
    throw new AgentCallError('SOURCES_EXHAUSTED', '404 from images.example', { failureClass: 'stop' });
  };
  const answer = await api.call('updateTemplate', {
    id,
    url: 'https://images.example/gone.qcow2',
    name: 'new',
  });
  assert.notEqual(answer.status, 200);
  assert.deepEqual(await snapshotOf(api.database), before);
});

test('what breaks a rule is refused by the name of its parameter, and nothing changes', async (t) => {
  const { api, id } = await withTemplate(t);
  const before = await snapshotOf(api.database);
  for (const [param, changes] of [
    ['id', { id: randomUUID() }],
    ['url', { url: 'file:///etc/passwd' }],
    ['checksum', { checksum: 'abc' }],
    ['format', { format: 'RAW' }],
    ['format', { format: 'VDI', url }],
    ['directdownload', { directdownload: 'false' }],
    ['details', { 'details[0].HTTP_HEADER:Host': 'x' }],
    ['ostypeid', { ostypeid: randomUUID() }],
    ['arch', { arch: 'aarch64' }],
    ['name', { name: 'two\nlines' }],
    ['isrouting', { isrouting: 'true' }],
    ['templatetype', { templatetype: 'SYSTEM' }],
  ] as const) {
    const answer = await api.call('updateTemplate', { id, ...changes });
    assert.ok([431, 432].includes(answer.status), `${param}: ${answer.text}`);
    assert.match(String(answer.content['errortext']), new RegExp(`\\b${param}\\b`));
  }
  assert.equal((await api.call('updateIso', { id, name: 'x' })).status, 431, 'it is no ISO');
  assert.deepEqual(api.agents.calls, []);
  assert.deepEqual(await snapshotOf(api.database), before);
});

test('while a job works with the image it is not exchanged, but its name can change', async (t) => {
  const { api, id, template } = await withTemplate(t);
  await api.database
    .insertInto('async_job')
    .values({
      ...{ uuid: randomUUID(), user_id: 1, account_id: template.account_id, job_cmd: 'prepareTemplate' },
      job_cmd_info: JSON.stringify({ templateId: template.id, poolIds: [1] }),
      instance_uuid: id,
    })
    .execute();
  const answer = await api.call('updateTemplate', { id, checksum: two });
  assert.equal(answer.status, 536, answer.text);
  assert.match(answer.text, /prepareTemplate is running/);
  assert.equal((await api.call('updateTemplate', { id, name: 'renamed' })).status, 200);
});

test('an ISO changes in the same way', async (t) => {
  const { api } = await withTemplate(t);
  const registered = await api.call('registerIso', {
    ...{ name: 'cd', displaytext: 'cd', url: 'https://images.example/a.iso', zoneid: api.ids.zoneId },
    ...{ directdownload: 'true', bootable: 'true' },
  });
  const id = String(rows(registered)[0]!['id']);
  const answer = await api.call('updateIso', { id, url: 'https://images.example/b.iso', bootable: 'false' });
  assert.equal(answer.status, 200, answer.text);
  const iso = answer.content['iso'] as Record<string, unknown>;
  assert.equal(iso['url'], 'https://images.example/b.iso');
  assert.equal(iso['bootable'], false);
  assert.equal((await api.call('updateIso', { id, passwordenabled: 'true' })).status, 431);
});

test('a template is shared with accounts of its owner’s domain, and with nobody else', async (t) => {
  const { api } = await withTemplate(t);
  const owner = await addTenant(api.database, 'owner', { domainPath: '/acme/' });
  const friend = await addTenant(api.database, 'friend', { domainPath: '/acme/' });
  const other = await addTenant(api.database, 'other', { domainPath: '/acme/' });
  await addTenant(api.database, 'elsewhere', { domainPath: '/rival/' });
  const registered = await api.call(
    'registerTemplate',
    {
      ...{ name: 'mine', displaytext: 'mine', url, format: 'QCOW2', hypervisor: 'KVM' },
      ...{ directdownload: 'true', zoneid: api.ids.zoneId },
    },
    owner,
  );
  const id = String(rows(registered)[0]!['id']);
  const seenBy = async (keys: typeof owner, templatefilter: string) =>
    rows(await api.call('listTemplates', { templatefilter }, keys)).map((row) => row['id']);
  const change = (params: Record<string, string>, keys = owner) =>
    api.call('updateTemplatePermissions', { id, ...params }, keys);
  assert.deepEqual(await seenBy(friend, 'executable'), []);
  assert.equal((await change({ op: 'add', accounts: 'friend' })).status, 200);
  assert.deepEqual(await seenBy(friend, 'executable'), [id]);
  assert.deepEqual(await seenBy(friend, 'sharedexecutable'), [id]);
  assert.deepEqual(await seenBy(friend, 'shared'), [id]);
  assert.deepEqual(await seenBy(owner, 'shared'), []);
  assert.deepEqual(await seenBy(owner, 'sharedexecutable'), []);
  assert.deepEqual(await seenBy(other, 'shared'), []);
  assert.deepEqual(await seenBy(friend, 'self'), []);
  assert.deepEqual(await seenBy(other, 'executable'), []);
  const shownToFriend = rows(await api.call('listTemplates', { templatefilter: 'executable' }, friend))[0]!;
  assert.equal(shownToFriend['url'], undefined, 'where it comes from is the owner’s');
  const told = await api.call('listTemplatePermissions', { id }, owner);
  assert.deepEqual((told.content['templatepermission'] as { account: unknown }).account, ['friend']);
  assert.equal((await api.call('listTemplatePermissions', { id }, friend)).status, 431);
  assert.equal((await change({ op: 'add', accounts: 'friend' }, friend)).status, 431, 'to use is not to own');
  const offering = rows(await api.call('listServiceOfferings'))[0]!['id'];
  const deploy = (keys: typeof owner) =>
    api.call(
      'deployVirtualMachine',
      { zoneid: api.ids.zoneId, serviceofferingid: String(offering), templateid: id, startvm: 'false' },
      keys,
    );
  assert.equal((await deploy(friend)).status, 200);
  assert.match((await deploy(other)).text, /templateid value=.*does not exist/);
  for (const [accounts, rule] of [
    ['elsewhere', /no account elsewhere/],
    ['friend,nobody', /no account nobody/],
    ['owner', /owns it/],
  ] as const) {
    const refused = await change({ op: 'add', accounts });
    assert.equal(refused.status, 431);
    assert.match(refused.text, rule);
  }
  assert.match((await change({ op: 'give', accounts: 'friend' })).text, /op.*add, remove or reset/);
  assert.match((await change({ accounts: 'friend' })).text, /accounts.*needs op/);
  assert.equal((await change({ isfeatured: 'true' })).status, 431, 'only an administrator features');
  assert.equal((await change({ op: 'remove', accounts: 'friend' })).status, 200);
  assert.deepEqual(await seenBy(friend, 'executable'), []);
  assert.equal((await change({ ispublic: 'true', op: 'add', accounts: 'friend' })).status, 200);
  assert.deepEqual(await seenBy(other, 'community'), [id]);
  assert.equal((await change({ op: 'reset' })).status, 200);
  assert.deepEqual(await seenBy(friend, 'executable'), []);
  assert.deepEqual(await seenBy(other, 'community'), []);
});

test('copyTemplate makes a template usable in a further zone, as a job that is done', async (t) => {
  const { api, id } = await withTemplate(t);
  const zone = await api.database
    .insertInto('data_center')
    .values({ uuid: randomUUID(), name: 'zone2', dns1: '10.0.0.1', internal_dns1: '10.0.0.1' })
    .returning('uuid')
    .executeTakeFirstOrThrow();
  const answer = await api.call('copyTemplate', { id, destzoneids: zone.uuid, sourcezoneid: api.ids.zoneId });
  assert.equal(answer.status, 200, answer.text);
  const listed = rows(await api.call('listTemplates', { templatefilter: 'self' }));
  assert.deepEqual(listed.map((row) => row['zonename']).sort(), ['zone1', 'zone2']);
  assert.match((await api.call('copyTemplate', { id })).text, /destzoneid/);
  assert.match((await api.call('copyTemplate', { id, destzoneid: randomUUID() })).text, /destzoneid value/);
});
