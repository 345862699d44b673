import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { AgentCallError } from '../domain/failure-policy.ts';
import { usableProbe } from '../http/testing/fake-ports.ts';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addHost, addTenant, rows, type TestApi, withTestApi } from '../http/testing/test-api.ts';

const sha256 = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';

function registration(api: TestApi, changes: Readonly<Record<string, string>> = {}) {
  return {
    name: 'tiny',
    displaytext: 'Tiny Linux',
    url: 'https://user:secret@images.example/tiny.qcow2?token=secret#part',
    format: 'qcow2',
    hypervisor: 'kvm',
    directdownload: 'true',
    zoneid: api.ids.zoneId,
    ...changes,
  };
}

test('a registration probes the source from a host, stores the row and answers as listTemplates does', async (t) => {
  const api = await withTestApi(t);
  const { hostId } = await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  const answer = await api.call('registerTemplate', {
    ...registration(api),
    checksum: sha256,
    'details[0].HTTP_HEADER:Authorization': 'Bearer secret',
    'details[0].rootDiskController': 'virtio',
  });
  assert.equal(answer.status, 200);
  assert.equal(answer.content['count'], 1);
  const [row] = rows(answer);
  assert.ok(row);
  assert.equal(row['isready'], true);
  assert.equal(row['status'], 'Bypassed Secondary Storage');
  assert.equal(row['directdownload'], true);
  assert.equal(row['checksum'], sha256);
  assert.equal(row['format'], 'QCOW2');
  assert.equal(row['size'], 3 * 1024 ** 3);
  assert.equal(row['physicalsize'], 1000);
  assert.equal(row['ostypename'], 'Other Linux (64-bit)');
  assert.equal(row['url'], 'https://***@images.example/tiny.qcow2?…');
  assert.equal(answer.text.includes('secret'), false);
  assert.deepEqual(row['details'], { 'HTTP_HEADER:Authorization': '***', rootDiskController: 'virtio' });

  const [call] = api.agents.calls;
  assert.equal(call!.hostId, hostId);
  assert.deepEqual((call!.params as { source: unknown }).source, {
    url: 'https://user:secret@images.example/tiny.qcow2?token=secret',
    headers: { Authorization: 'Bearer secret' },
    format: 'qcow2',
    checksum: `{SHA-256}${sha256}`,
  });
  const listed = await api.call('listTemplates', { templatefilter: 'self' });
  assert.deepEqual(rows(listed), rows(answer));
  const stored = await api.database.selectFrom('vm_template').selectAll().executeTakeFirstOrThrow();
  assert.equal(stored.direct_download, true);
  assert.equal(stored.checksum, `{SHA-256}${sha256}`);
  const event = await api.call('listEvents', { type: 'TEMPLATE.CREATE' });
  assert.equal(rows(event)[0]!['resourceid'], row['id']);
  assert.equal(event.text.includes('secret'), false);
});

test('what breaks a rule is refused by the name of its parameter, before any host is asked', async (t) => {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  const before = await snapshotOf(api.database);
  const cases: readonly (readonly [string, Record<string, string>, number?])[] = [
    ['format', { format: 'VDI' }],
    ['details', { url: 's3://bucket/key' }],
    ['details', { 'details[0].s3.bogus': 'x' }],
    ['details', { 'details[0].checksumurl': 'ftp://m/SUMS' }],
    ['details', { checksum: sha256, 'details[0].checksumurl': 'https://m/SUMS' }],
    ['hypervisor', { hypervisor: 'xenserver' }],
    ['url', { url: 'ftp://images.example/a.qcow2' }],
    ['url', { url: 'file:///etc/passwd' }],
    ['url', { url: 'images.example/a.qcow2' }],
    ['checksum', { checksum: 'abc' }],
    ['checksum', { checksum: `{MD5}${sha256}` }],
    ['checksum', { checksum: `{CRC}${sha256}` }],
    ['directdownload', { directdownload: 'false' }],
    ['zoneid', { zoneid: randomUUID() }],
    ['zoneid', { zoneid: '' }],
    ['zoneids', { zoneids: api.ids.zoneId }],
    ['zoneids', { zoneid: '', zoneids: 'nowhere' }],
    ['ostypeid', { ostypeid: randomUUID() }],
    ['bits', { bits: '16' }],
    ['arch', { arch: 'aarch64' }],
    ['name', { name: ' ' }],
    ['name', { name: 'two\nlines' }],
    ['details', { 'details[0].HTTP_HEADER:Host': 'other.example' }],
    ['details', { 'details[0].HTTP_HEADER:X-A': 'a\r\nX-B: b' }],
    ['details', { 'details[0].HTTP_HEADER:bad name': 'a' }],
    ['account', { account: 'nobody' }],
    ['domainid', { domainid: randomUUID() }],
  ];
  for (const [param, changes] of cases) {
    const answer = await api.call('registerTemplate', registration(api, changes));
    assert.equal(answer.status, 431, JSON.stringify(changes));
    assert.match(String(answer.content['errortext']), new RegExp(`\\b${param}\\b`), JSON.stringify(changes));
  }
  assert.deepEqual(api.agents.calls, []);
  assert.deepEqual(await snapshotOf(api.database), before);
});

test('directdownload may be left out unless the operator decided otherwise', async (t) => {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  const { directdownload: _, ...params } = registration(api);
  const name = 'template.direct.download.default';
  assert.equal((await api.call('registerTemplate', params)).status, 200, 'auto, as it came');
  for (const value of ['true', 'auto']) {
    assert.equal((await api.call('updateConfiguration', { name, value })).status, 200);
    assert.equal((await api.call('registerTemplate', params)).status, 200, value);
  }
  await api.call('updateConfiguration', { name, value: 'false' });
  const refused = await api.call('registerTemplate', params);
  assert.equal(refused.status, 431);
  assert.match(String(refused.content['errortext']), /must be true: zone zone1 has no image store/);
});

test('when no mirror is usable the reason of each is told, without its credentials', async (t) => {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () =>
    usableProbe({
      usable: false,
      metalink: true,
      sources: [
        {
          url: 'https://u:pw@a.example/x?key=pw',
          usable: false,
          reason: 'CONNECT_REFUSED',
          message: 'connection refused',
        },
        { url: 'https://b.example/x', usable: false, reason: 'EGRESS_REFUSED', message: 'answered 404' },
      ],
    });
  const before = await snapshotOf(api.database);
  const answer = await api.call('registerTemplate', registration(api));
  assert.equal(answer.status, 431);
  const text = String(answer.content['errortext']);
  assert.match(text, /none of the 2 mirrors is usable/);
  assert.match(text, /a\.example\/x\?…: connection refused/);
  assert.match(text, /b\.example\/x: answered 404/);
  assert.match(text, /Next: .*direct\.download\.egress\.allowed\.cidrs.*; check that the web server runs/);
  assert.equal(text.includes('pw'), false);
  assert.deepEqual(await snapshotOf(api.database), before);
});

test('a refused image is final: no other host is asked', async (t) => {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  await addHost(api.database, 'host2');
  api.agents.answers['image.probe'] = () =>
    usableProbe({
      usable: false,
      refusal: { code: 'IMAGE_BACKING_FILE', message: 'it names a backing file' },
    });
  const answer = await api.call('registerTemplate', registration(api));
  assert.equal(answer.status, 431);
  assert.match(String(answer.content['errortext']), /refused: it names a backing file/);
  assert.equal(api.agents.calls.length, 1);
});

test('a host that cannot answer is passed over', async (t) => {
  const api = await withTestApi(t);
  const first = await addHost(api.database, 'host1');
  const second = await addHost(api.database, 'host2');
  api.agents.answers['image.probe'] = (_params, hostId) => {
    if (hostId === first.hostId) throw new AgentCallError('AGENT_UNAVAILABLE', 'the host is away');
    return usableProbe();
  };
  assert.equal((await api.call('registerTemplate', registration(api))).status, 200);
  assert.deepEqual(
    api.agents.calls.map((call) => call.hostId),
    [first.hostId, second.hostId],
  );
});

test('another host gives a second opinion on a source that the first cannot reach', async (t) => {
  const api = await withTestApi(t);
  const first = await addHost(api.database, 'host1');
  await addHost(api.database, 'host2');
  api.agents.answers['image.probe'] = (_params, hostId) =>
    usableProbe(hostId === first.hostId ? { usable: false } : {});
  assert.equal((await api.call('registerTemplate', registration(api))).status, 200);
});

test('without a live host the answer is 530 and says why', async (t) => {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1', { status: 'Disconnected' });
  const none = await api.call('registerTemplate', registration(api));
  assert.equal(none.status, 530);
  assert.match(String(none.content['errortext']), /no host of the zone is Up/);
  await addHost(api.database, 'host2');
  const away = await api.call('registerTemplate', registration(api));
  assert.equal(away.status, 530);
  assert.match(String(away.content['errortext']), /host host2: the host is away/);
  const ann = await addTenant(api.database, 'ann');
  const forAnn = await api.call('registerTemplate', registration(api), ann);
  assert.equal(forAnn.status, 530);
  assert.doesNotMatch(forAnn.text, /host2/, 'tenants do not read the names of hosts');
});

test('warnings of the probe do not refuse the template but are kept as an event', async (t) => {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe({ warnings: ['mirror a.example is dead'] });
  assert.equal((await api.call('registerTemplate', registration(api))).status, 200);
  const [event] = rows(await api.call('listEvents', { level: 'WARN' }));
  assert.match(String(event!['description']), /mirror a\.example is dead/);
});

test('users see the URL and details of their own templates only, and public ones without', async (t) => {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  const ann = await addTenant(api.database, 'ann');
  const bob = await addTenant(api.database, 'bob');
  const params = { 'details[0].HTTP_HEADER:Cookie': 'secret', ispublic: 'true' };
  const own = await api.call('registerTemplate', registration(api, params), ann);
  assert.equal(own.status, 200);
  const hidden = await api.call('registerTemplate', registration(api, { name: 'private' }), ann);
  assert.equal(rows(own)[0]!['account'], 'ann');
  assert.match(String(rows(own)[0]!['url']), /images\.example/);
  const seen = await api.call('listTemplates', { templatefilter: 'executable' }, bob);
  assert.equal(seen.content['count'], 1);
  assert.equal('url' in rows(seen)[0]!, false);
  assert.deepEqual(rows(seen)[0]!['details'], {});
  const id = String(rows(hidden)[0]!['id']);
  assert.deepEqual((await api.call('listTemplates', { templatefilter: 'executable', id }, bob)).content, {});
  assert.equal((await api.call('listTemplates', { templatefilter: 'executable', id })).content['count'], 1);
  assert.equal((await api.call('listTemplates', { templatefilter: 'all' }, bob)).status, 431);
  assert.equal((await api.call('listTemplates', { templatefilter: 'all' })).content['count'], 2);
  const featured = await api.call('registerTemplate', registration(api, { isfeatured: 'true' }), bob);
  assert.match(String(featured.content['errortext']), /isfeatured/);
});

test('each word of templatefilter selects what CloudStack means by it', async (t) => {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  const ann = await addTenant(api.database, 'ann');
  const register = (name: string, changes: Record<string, string>, by = api.admin) =>
    api.call('registerTemplate', registration(api, { name, ...changes }), by);
  await register('featured', { ispublic: 'true', isfeatured: 'true' });
  await register('public', { ispublic: 'true' });
  await register('private', {});
  await register('anns', {}, ann);
  const names = async (templatefilter: string) =>
    rows(await api.call('listTemplates', { templatefilter }, ann)).map((row) => row['name']);
  assert.deepEqual(await names('featured'), ['featured']);
  assert.deepEqual(await names('community'), ['public']);
  assert.deepEqual(await names('self'), ['anns']);
  assert.deepEqual(await names('selfexecutable'), ['anns']);
  assert.deepEqual(await names('sharedexecutable'), []);
  assert.deepEqual(await names('executable'), ['anns', 'featured', 'public']);
  assert.equal((await api.call('listTemplates', { templatefilter: 'mine' })).status, 431);
});

test('a template for every zone has a row per zone, or one with showunique', async (t) => {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  await api.database
    .insertInto('data_center')
    .values({ uuid: randomUUID(), name: 'zone2', dns1: '192.0.2.1', internal_dns1: '192.0.2.1' })
    .execute();
  const answer = await api.call('registerTemplate', registration(api, { zoneid: '-1' }));
  assert.equal(answer.content['count'], 1);
  assert.equal(rows(answer)[0]!['crossZones'], true);
  assert.equal((await api.call('listTemplates', { templatefilter: 'self' })).content['count'], 2);
  const unique = await api.call('listTemplates', { templatefilter: 'self', showunique: 'true' });
  assert.equal(unique.content['count'], 1);
});

test('downloaddetails tells the copies on pools in strings, their ids to admins only', async (t) => {
  const api = await withTestApi(t);
  const { poolId } = await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  const ann = await addTenant(api.database, 'ann');
  await api.call('registerTemplate', registration(api), ann);
  const template = await api.database.selectFrom('vm_template').selectAll().executeTakeFirstOrThrow();
  await api.database
    .insertInto('template_spool_ref')
    .values({
      pool_id: poolId,
      template_id: template.id,
      download_pct: 42,
      download_state: 'DOWNLOAD_IN_PROGRESS',
      state: 'Allocated',
      checksum: '{MD5}00',
      last_used: new Date('2026-11-01T12:00:00Z'),
    })
    .execute();
  const forUser = await api.call('listTemplates', { templatefilter: 'self' }, ann);
  const common = { datastore: 'host1-local', downloadPercent: '42', downloadState: 'DOWNLOAD_IN_PROGRESS' };
  assert.deepEqual(rows(forUser)[0]!['downloaddetails'], [common]);
  const forAdmin = await api.call('listTemplates', { templatefilter: 'all' });
  const pool = await api.database.selectFrom('storage_pool').selectAll().executeTakeFirstOrThrow();
  assert.deepEqual(rows(forAdmin)[0]!['downloaddetails'], [
    {
      ...common,
      ...{ datastoreId: pool.uuid, datastoreRole: 'Primary' },
      ...{ lastUsed: '2026-11-01T12:00:00+0000', checksum: '{MD5}00' },
    },
  ]);
  const set = (columns: object) =>
    api.database.updateTable('template_spool_ref').set(columns).where('pool_id', '=', poolId).execute();
  const shown = async (tenant?: typeof ann) => {
    const answer = await api.call('listTemplates', { templatefilter: tenant ? 'self' : 'all' }, tenant);
    return (rows(answer)[0]!['downloaddetails'] as Record<string, string>[])[0]!;
  };
  const progress = { phase: 'transferring', bytes: 42, totalBytes: 100, bytesPerSecond: 7, etaSeconds: 8 };
  await set({ transfer_progress: JSON.stringify({ ...progress, attempts: [] }) });
  assert.deepEqual(await shown(ann), {
    ...common,
    ...Object.fromEntries(Object.entries(progress).map(([name, value]) => [name, String(value)])),
  });
  const failure = { code: 'POOL_UNAVAILABLE', message: '/srv/pool is gone', failureClass: 'stop' };
  await set({
    download_state: 'DOWNLOAD_ERROR',
    error_str: failure.message,
    failure: JSON.stringify({ generation: 1, failure }),
  });
  assert.equal((await shown())['error'], '/srv/pool is gone');
  assert.equal((await shown(ann))['refused'], 'true');
  assert.doesNotMatch((await shown(ann))['error']!, /srv/, 'what a host says of itself is for root admins');
});

test('deleteTemplate starts a job, is refused while instances use it or a job runs, and for other tenants', async (t) => {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  const ann = await addTenant(api.database, 'ann');
  const id = String(rows(await api.call('registerTemplate', registration(api)))[0]!['id']);
  const stranger = await api.call('deleteTemplate', { id }, ann);
  assert.equal(stranger.status, 431);
  assert.equal(
    stranger.content['errortext'],
    `Invalid parameter id value=${id} due to incorrect long value format, or entity does not exist`,
  );
  const offering = rows(await api.call('listServiceOfferings'))[0]!;
  const vm = await api.call('deployVirtualMachine', {
    zoneid: api.ids.zoneId,
    templateid: id,
    serviceofferingid: String(offering['id']),
  });
  assert.equal(vm.status, 200);
  const used = await api.call('deleteTemplate', { id });
  assert.equal(used.status, 431);
  assert.match(String(used.content['errortext']), /used by 1 instance/);
  const forced = await api.call('deleteTemplate', { id, forced: 'true' });
  assert.deepEqual(Object.keys(forced.content), ['jobid']);
  assert.deepEqual(api.jobs.requests.at(-1)!.parameters, { templateId: 1, forced: true });
  assert.equal((await api.call('deleteTemplate', { id })).status, 536);
});

for (const asked of [
  { checksum: '{URL}https://images.example/SHA256SUMS' },
  { 'details[0].checksumurl': 'https://images.example/SHA256SUMS' },
]) {
  test(`a checksum is found by a host in a list (${Object.keys(asked)[0]}), and it is said how it is trusted`, async (t) => {
    const api = await withTestApi(t);
    await addHost(api.database, 'host1');
    const checksum = `{SHA-256}${sha256}`;
    api.agents.answers['image.probe'] = () => usableProbe();
    api.agents.answers['checksum.find'] = () => ({
      checksum,
      trust: 'https with images.example',
      warnings: [],
    });
    const answer = await api.call('registerTemplate', { ...registration(api), ...asked });
    assert.equal(answer.status, 200, answer.text);
    const [row] = rows(answer);
    assert.equal(row?.['checksum'], sha256);
    assert.equal((row!['details'] as Record<string, string>)['checksumtrust'], 'https with images.example');
    const [find, probe] = api.agents.calls;
    assert.equal((find!.params as { checksumUrl: string }).checksumUrl, 'https://images.example/SHA256SUMS');
    assert.equal((probe!.params as { source: { checksum: string } }).source.checksum, checksum);
  });
}

test('a list that has no checksum of the image refuses the registration, and nothing is stored', async (t) => {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  const before = await snapshotOf(api.database);
  api.agents.answers['checksum.find'] = () => {
    throw new AgentCallError('CHECKSUM_LIST_UNUSABLE', 'it has no entry for tiny.qcow2', {
      failureClass: 'stop',
    });
  };
  const checksum = 'https://images.example/SHA256SUMS';
  const answer = await api.call('registerTemplate', { ...registration(api), checksum });
  assert.equal(answer.status, 431);
  assert.match(answer.text, /checksum.*it has no entry for tiny\.qcow2/);
  assert.deepEqual(await snapshotOf(api.database), before);
});

test('a foreign format, a file of a metalink and an object of S3 reach the host; secrets reach nobody else', async (t) => {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  const answer = await api.call('registerTemplate', {
    ...registration(api, { url: 's3://bucket/appliance.ova', format: 'ova' }),
    'details[0].filename': 'appliance.ova',
    'details[0].s3.endpoint': 'https://s3.example',
    'details[0].s3.accesskey': 'AKIDENTIFIER',
    'details[0].s3.secretkey': 'very/secret',
  });
  assert.equal(answer.status, 200, answer.text);
  assert.doesNotMatch(answer.text, /AKIDENTIFIER|very.secret/);
  const source = (api.agents.calls[0]!.params as { source: Record<string, unknown> }).source;
  assert.equal(source['format'], 'vmdk');
  assert.equal(source['wantedFile'], 'appliance.ova');
  assert.deepEqual(source['s3'], {
    endpoint: 'https://s3.example',
    region: 'us-east-1',
    accessKeyId: 'AKIDENTIFIER',
    secretAccessKey: 'very/secret',
  });
});
