import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { usableProbe } from '../http/testing/fake-ports.ts';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addHost, addTenant, type Keys, type Params, rows, withTestApi } from '../http/testing/test-api.ts';

async function withIsos(t: TestContext) {
  const api = await withTestApi(t);
  const host = await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => ({ ...usableProbe(), format: 'iso' });
  const register = (params: Params = {}, keys: Keys = api.admin) =>
    api.call(
      'registerIso',
      {
        name: 'installer',
        displaytext: 'An installer',
        url: 'https://images.example/installer.iso',
        zoneid: api.ids.zoneId,
        ...params,
      },
      keys,
    );
  const isoId = async (params?: Params, keys?: Keys) => String(rows(await register(params, keys))[0]!['id']);
  const offering = String(rows(await api.call('listServiceOfferings', { name: 'Micro' }))[0]!['id']);
  const deploy = (templateid: string, params: Params = {}, keys: Keys = api.admin) =>
    api.call(
      'deployVirtualMachine',
      { zoneid: api.ids.zoneId, serviceofferingid: offering, templateid, ...params },
      keys,
    );
  const settle = async (state: string) => {
    await api.database.updateTable('async_job').set({ job_status: 1, job_result: '{}' }).execute();
    await api.database.updateTable('vm_instance').set({ state, host_id: host.hostId }).execute();
  };
  return { ...api, register, isoId, deploy, settle };
}

test('a registered ISO was looked at by a host, and is listed among ISOs, not among templates', async (t) => {
  const api = await withIsos(t);
  const answer = await api.register({ bootable: 'false', ispublic: 'true' });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(Object.keys(answer.content), ['count', 'iso']);
  const [iso] = rows(answer);
  assert.deepEqual(
    [iso!['format'], iso!['bootable'], iso!['isready'], iso!['directdownload'], iso!['status']],
    ['ISO', false, true, true, 'Bypassed Secondary Storage'],
  );
  const { source } = api.agents.calls[0]!.params as { source: { format: string } };
  assert.equal(source.format, 'iso');
  const listed = await api.call('listIsos', {});
  assert.deepEqual(rows(listed), rows(answer));
  assert.deepEqual(rows(await api.call('listIsos', { bootable: 'true' })), []);
  assert.deepEqual(rows(await api.call('listIsos', { ispublic: 'false' })), []);
  assert.deepEqual(rows(await api.call('listTemplates', { templatefilter: 'all' })), []);
  assert.equal(rows(await api.call('listEvents', { type: 'ISO.CREATE' })).length, 1);
  const bad = await api.call('listIsos', { isofilter: 'mine' });
  assert.match(String(bad.content['errortext']), /isofilter: must be one of featured/);
});

test('what breaks a rule is refused by the name of its parameter, and nothing is stored', async (t) => {
  const api = await withIsos(t);
  const before = await snapshotOf(api.database);
  const cases: readonly (readonly [string, Params])[] = [
    ['url', { url: 'file:///etc/passwd' }],
    ['zoneid', { zoneid: randomUUID() }],
    ['ostypeid', { ostypeid: randomUUID() }],
    ['checksum', { checksum: 'abc' }],
    ['directdownload', { directdownload: 'false' }],
    ['imagestoreuuid', { imagestoreuuid: 'x' }],
    ['name', { name: ' ' }],
  ];
  for (const [param, changes] of cases) {
    const answer = await api.register(changes);
    assert.equal(answer.status, 431, param);
    assert.match(String(answer.content['errortext']), new RegExp(param));
  }
  assert.deepEqual(await snapshotOf(api.database), before);
});

test('an instance from an ISO needs the size of its disk, and has the ISO in its drive', async (t) => {
  const api = await withIsos(t);
  const iso = await api.isoId();
  const without = await api.deploy(iso);
  assert.equal(without.status, 431);
  assert.match(String(without.content['errortext']), /rootdisksize: must be given with an ISO/);
  const answer = await api.deploy(iso, { rootdisksize: '5' });
  assert.equal(answer.status, 200, answer.text);
  const { parameters } = api.jobs.requests.at(-1)!;
  assert.equal((parameters as { rootDiskSizeBytes?: number }).rootDiskSizeBytes, 5 * 1024 ** 3);
  const [vm] = rows(await api.call('listVirtualMachines', { isoid: iso }));
  assert.deepEqual(
    [vm!['isoid'], vm!['isoname'], vm!['isodisplaytext'], vm!['templateid'], vm!['templateformat']],
    [iso, 'installer', 'An installer', iso, 'ISO'],
  );
  const volume = await api.database.selectFrom('volumes').selectAll().executeTakeFirstOrThrow();
  assert.equal(volume.template_id, null);
  const drivers = await api.isoId({ name: 'drivers', bootable: 'false' });
  const unbootable = await api.deploy(drivers, { rootdisksize: '5' });
  assert.match(String(unbootable.content['errortext']), /templateid: .*nothing boots from/);
});

test('an ISO is attached and detached by jobs, one at a time in the drive unless forced', async (t) => {
  const api = await withIsos(t);
  const iso = await api.isoId();
  const other = await api.isoId({ name: 'other' });
  const { id } = (await api.deploy(iso, { rootdisksize: '5' })).content;
  const virtualmachineid = String(id);
  await api.settle('Running');
  const taken = await api.call('attachIso', { id: other, virtualmachineid });
  assert.match(String(taken.content['errortext']), /detach it first, or use forced=true/);
  const forced = await api.call('attachIso', { id: other, virtualmachineid, forced: 'true' });
  assert.equal(forced.status, 200, forced.text);
  assert.deepEqual(Object.keys(forced.content), ['jobid']);
  assert.deepEqual(api.jobs.requests.at(-1)!.parameters, { vmId: 1, isoId: 2, forced: true });
  const busy = await api.call('detachIso', { virtualmachineid });
  assert.equal(busy.status, 536);
  await api.settle('Stopped');
  await api.database.updateTable('vm_instance').set({ iso_id: null }).execute();
  const empty = await api.call('detachIso', { virtualmachineid });
  assert.match(String(empty.content['errortext']), /has no ISO in its drive/);
  const nowhere = await api.call('attachIso', { id: randomUUID(), virtualmachineid });
  assert.match(String(nowhere.content['errortext']), /id value=.* does not exist/);
});

test('a tenant attaches their own and public ISOs, to their own instances only', async (t) => {
  const api = await withIsos(t);
  const ann = await addTenant(api.database, 'ann');
  const bob = await addTenant(api.database, 'bob');
  const secret = await api.isoId({ name: 'secret' });
  const open = await api.isoId({ name: 'open', ispublic: 'true' });
  const own = await api.isoId({ name: 'own' }, ann);
  const virtualmachineid = String((await api.deploy(own, { rootdisksize: '1' }, ann)).content['id']);
  await api.settle('Running');
  const attach = (id: string, keys: Keys) =>
    api.call('attachIso', { id, virtualmachineid, forced: 'true' }, keys);
  assert.equal((await attach(secret, ann)).status, 431);
  assert.match(String((await attach(open, bob)).content['errortext']), /virtualmachineid value=/);
  assert.equal((await attach(open, ann)).status, 200);
  assert.deepEqual(
    rows(await api.call('listIsos', { isofilter: 'executable' }, bob)).map((row) => row['name']),
    ['open'],
  );
  assert.equal((await api.call('deleteIso', { id: own }, bob)).status, 431);
});

test('an ISO in a drive is not deleted, one that is in none is; deleteTemplate does not know it', async (t) => {
  const api = await withIsos(t);
  const iso = await api.isoId();
  await api.deploy(iso, { rootdisksize: '5' });
  await api.settle('Stopped');
  assert.match(
    String((await api.call('deleteIso', { id: iso })).content['errortext']),
    /ISO installer is in the drive of 1 instance\(s\); detach it first/,
  );
  await api.database.updateTable('vm_instance').set({ iso_id: null }).execute();
  assert.match(
    String((await api.call('deleteTemplate', { id: iso })).content['errortext']),
    /id value=.* does not exist/,
  );
  const answer = await api.call('deleteIso', { id: iso });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(api.jobs.requests.at(-1)!.command, 'deleteIso');
});
