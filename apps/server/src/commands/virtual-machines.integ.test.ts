import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { sleep } from '@millrace/core';
import { sql } from 'kysely';
import { AgentCallError } from '../domain/failure-policy.ts';
import { requestableStates, type VmCommand, vmStates } from '../domain/virtual-machine-states.ts';
import { usableProbe } from '../http/testing/fake-ports.ts';
import { snapshotOf } from '../http/testing/snapshot.ts';
import {
  addHost,
  addTenant,
  type Keys,
  type Params,
  rows,
  type TestApi,
  testNetwork,
  withTestApi,
} from '../http/testing/test-api.ts';
import type { Database } from '../store/database.ts';

interface Cloud extends TestApi {
  readonly templateId: string;
  readonly offeringId: string;
  readonly hostId: number;
  readonly hostUuid: string;
  deploy(params?: Params, keys?: Keys): ReturnType<TestApi['call']>;
  /** Ends every job, as workers would, and puts the instance into a state. */
  settle(state: string): Promise<void>;
}

async function withCloud(t: Parameters<typeof withTestApi>[0]): Promise<Cloud> {
  const api = await withTestApi(t);
  const host = await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  const template = await api.call('registerTemplate', {
    name: 'tiny',
    displaytext: 'tiny',
    url: 'https://images.example/tiny.qcow2',
    format: 'QCOW2',
    hypervisor: 'KVM',
    zoneid: api.ids.zoneId,
    ispublic: 'true',
  });
  const templateId = String(rows(template)[0]!['id']);
  const offeringId = String(rows(await api.call('listServiceOfferings', { name: 'Micro' }))[0]!['id']);
  const base = { zoneid: api.ids.zoneId, templateid: templateId, serviceofferingid: offeringId };
  return {
    ...api,
    ...host,
    templateId,
    offeringId,
    deploy: (params = {}, keys = api.admin) => api.call('deployVirtualMachine', { ...base, ...params }, keys),
    async settle(state) {
      await api.database.updateTable('async_job').set({ job_status: 1, job_result: '{}' }).execute();
      const changes = { state, host_id: host.hostId };
      await api.database.updateTable('vm_instance').set(changes).execute();
    },
  };
}

test('deployVirtualMachine writes the instance, its disk, its card and its job together', async (t) => {
  const cloud = await withCloud(t);
  const answer = await cloud.deploy({ name: 'web1', displayname: 'Web 1', rootdisksize: '5' });
  assert.equal(answer.status, 200);
  assert.deepEqual(Object.keys(answer.content), ['id', 'jobid']);
  const [vm] = rows(await cloud.call('listVirtualMachines', { id: String(answer.content['id']) }));
  assert.ok(vm);
  assert.equal(vm['state'], 'Starting');
  assert.equal(vm['name'], 'web1');
  assert.equal(vm['displayname'], 'Web 1');
  assert.match(String(vm['instancename']), /^i-\d+-\d+-VM$/);
  assert.equal(vm['jobid'], answer.content['jobid']);
  assert.equal(vm['jobstatus'], 0);
  const [nic] = vm['nic'] as Record<string, unknown>[];
  assert.equal(nic!['ipaddress'], testNetwork.startIp);
  assert.equal(nic!['isdefault'], true);
  assert.match(String(nic!['macaddress']), /^06(:[0-9a-f]{2}){5}$/);
  const volumes = await cloud.call('listVolumes', { type: 'ROOT', virtualmachineid: String(vm['id']) });
  assert.equal(volumes.content['count'], 1);
  assert.equal(rows(volumes)[0]!['size'], 5 * 1024 ** 3);
  assert.equal(rows(volumes)[0]!['state'], 'Allocated');
  const [request] = cloud.jobs.requests;
  assert.equal(request!.command, 'deployVirtualMachine');
  assert.deepEqual(request!.parameters, { vmId: 1, startVm: true, rootDiskSizeBytes: 5 * 1024 ** 3 });
  const [event] = rows(await cloud.call('listEvents', { type: 'VM.CREATE' }));
  assert.equal(event!['state'], 'Scheduled');
  assert.equal(event!['resourceid'], vm['id']);
});

test('an instance that shall not start is created Stopped and named after its id when nobody names it', async (t) => {
  const cloud = await withCloud(t);
  const answer = await cloud.deploy({ startvm: 'false', hostid: cloud.hostUuid });
  const [vm] = rows(await cloud.call('listVirtualMachines', { listall: 'true' }));
  assert.equal(vm!['state'], 'Stopped');
  assert.equal(vm!['name'], `VM-${answer.content['id']}`);
  assert.deepEqual(cloud.jobs.requests[0]!.parameters, { vmId: 1, startVm: false, hostId: cloud.hostId });
});

test('deployments at once get different addresses, until the network is full', async (t) => {
  const cloud = await withCloud(t);
  const answers = await Promise.all(Array.from({ length: 4 }, (_, i) => cloud.deploy({ name: `vm${i}` })));
  assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 200, 200, 533]);
  const nics = await cloud.database.selectFrom('nics').select('ip4_address').execute();
  assert.deepEqual(nics.map((nic) => nic.ip4_address).sort(), ['10.9.8.2', '10.9.8.3', '10.9.8.4']);
  const instances = await cloud.database.selectFrom('vm_instance').select('id').execute();
  assert.equal(instances.length, 3);
});

test('what does not exist, does not fit or is not allowed is refused by name, and nothing is left', async (t) => {
  const cloud = await withCloud(t);
  await cloud.deploy({ name: 'taken' });
  const before = await snapshotOf(cloud.database);
  const unknown = randomUUID();
  const cases: readonly (readonly [string, Params])[] = [
    ['zoneid', { zoneid: unknown }],
    ['templateid', { templateid: unknown }],
    ['serviceofferingid', { serviceofferingid: unknown }],
    ['networkids', { networkids: unknown }],
    ['networkids', { networkids: `${cloud.ids.networkId},${cloud.ids.networkId}` }],
    ['hostid', { hostid: unknown }],
    ['name', { name: 'under_score' }],
    ['name', { name: '-a' }],
    ['name', { name: '12345' }],
    ['name', { name: 'a'.repeat(64) }],
    ['name', { name: 'Taken' }],
    ['rootdisksize', { rootdisksize: '0' }],
    ['rootdisksize', { rootdisksize: '-5' }],
    ['rootdisksize', { rootdisksize: '1' }],
    ['rootdisksize', { rootdisksize: '99999999' }],
    ['rootdisksize', { 'details[0].rootdisksize': 'big' }],
    ['details', { 'details[0].cpuNumber': '2' }],
    ['hypervisor', { hypervisor: 'VMware' }],
    ['userdata', { userdata: '#!' }],
    ['keypair', { keypair: 'mine' }],
    ['iptonetworklist', { 'iptonetworklist[0].networkid': unknown }],
    ['account', { account: 'nobody' }],
  ];
  for (const [param, changes] of cases) {
    const answer = await cloud.deploy(changes);
    assert.equal(answer.status, 431, `${JSON.stringify(changes)}: ${answer.text}`);
    assert.match(String(answer.content['errortext']), new RegExp(`\\b${param}\\b`), JSON.stringify(changes));
  }
  assert.deepEqual(await snapshotOf(cloud.database), before);
});

test('a template of another zone or another tenant cannot be deployed', async (t) => {
  const cloud = await withCloud(t);
  const ann = await addTenant(cloud.database, 'ann');
  assert.equal((await cloud.deploy({ name: 'ok' }, ann)).status, 200);
  await cloud.database.updateTable('vm_template').set({ public: false }).execute();
  assert.match(
    String((await cloud.deploy({}, ann)).content['errortext']),
    /templateid value=.*does not exist/,
  );
  await cloud.database.updateTable('template_zone_ref').set({ removed: new Date() }).execute();
  assert.match(String((await cloud.deploy()).content['errortext']), /not registered for zone zone1/);
});

/** Those of disks name a volume too: see data-volumes.integ.test.ts. */
type OfDisks = 'attachVolume' | 'detachVolume' | 'resizeVolume';
/** Those that are no jobs, or need another offering: see change-service.integ.test.ts. */
type OfOthers = 'recoverVirtualMachine' | 'attachIso' | 'changeServiceForVirtualMachine';

const jobCommands: Readonly<Record<Exclude<VmCommand, OfOthers | OfDisks>, Params>> = {
  startVirtualMachine: {},
  stopVirtualMachine: { forced: 'true' },
  rebootVirtualMachine: {},
  destroyVirtualMachine: { expunge: 'true' },
  expungeVirtualMachine: {},
  restoreVirtualMachine: { rootdisksize: '9' },
  detachIso: { forced: 'true' },
  migrateVirtualMachine: {},
  resetPasswordForVirtualMachine: {},
  resetSSHKeyForVirtualMachine: { keypair: 'mine' },
};

const expectedParameters: Readonly<Record<keyof typeof jobCommands, object>> = {
  startVirtualMachine: { vmId: 1 },
  stopVirtualMachine: { vmId: 1, forced: true },
  rebootVirtualMachine: { vmId: 1, forced: false },
  destroyVirtualMachine: { vmId: 1, expunge: true },
  expungeVirtualMachine: { vmId: 1 },
  restoreVirtualMachine: { vmId: 1, rootDiskSizeBytes: 9 * 1024 ** 3 },
  detachIso: { vmId: 1, forced: true },
  migrateVirtualMachine: { vmId: 1 },
  resetPasswordForVirtualMachine: { vmId: 1 },
  resetSSHKeyForVirtualMachine: { vmId: 1 },
};

for (const [command, params] of Object.entries(jobCommands)) {
  test(`${command} starts a job in the states that allow it and names the state in all others`, async (t) => {
    const cloud = await withCloud(t);
    const { id } = (await cloud.deploy()).content;
    const idParam = ['restoreVirtualMachine', 'detachIso', 'migrateVirtualMachine'].includes(command)
      ? 'virtualmachineid'
      : 'id';
    await cloud.database.updateTable('vm_instance').set({ iso_id: 1 }).execute();
    await cloud.database.updateTable('vm_template').set({ enable_password: true }).execute();
    await cloud.call('createSSHKeyPair', { name: 'mine' });
    const call = () => cloud.call(command, { [idParam]: String(id), ...params });
    const allowed: readonly string[] = requestableStates[command as VmCommand];
    for (const state of vmStates) {
      await cloud.settle(state);
      const answer = await call();
      if (!allowed.includes(state)) {
        assert.equal(answer.status, 431, state);
        assert.match(String(answer.content['errortext']), new RegExp(`is ${state}`));
        continue;
      }
      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual(Object.keys(answer.content), ['jobid']);
      const request = cloud.jobs.requests.at(-1)!;
      assert.equal(request.command, command);
      assert.deepEqual(request.parameters, expectedParameters[command as keyof typeof jobCommands]);
    }
  });
}

/** Holds the instance's row until every call waits for it, so that they all go on in the same moment. */
async function atOnce<T>(database: Database, vmUuid: string, begin: () => Promise<T>[]): Promise<T[]> {
  const calls = await database.transaction().execute(async (trx) => {
    await trx.selectFrom('vm_instance').select('id').where('uuid', '=', vmUuid).forUpdate().execute();
    const begun = begin();
    const deadline = AbortSignal.timeout(30_000);
    for (;;) {
      const waiting = await sql<{ count: number }>`
        select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`.execute(database);
      if (waiting.rows[0]!.count === begun.length) return begun;
      await sleep(20, deadline);
    }
  });
  return Promise.all(calls);
}

test('one job at a time: a second request names the job that runs', async (t) => {
  const cloud = await withCloud(t);
  const { id } = (await cloud.deploy()).content;
  await cloud.settle('Running');
  const answers = await atOnce(cloud.database, String(id), () =>
    Array.from({ length: 5 }, () => cloud.call('rebootVirtualMachine', { id: String(id) })),
  );
  const accepted = answers.filter((answer) => answer.status === 200);
  assert.equal(accepted.length, 1);
  for (const refused of answers.filter((answer) => answer.status !== 200)) {
    assert.equal(refused.status, 536);
    assert.match(
      String(refused.content['errortext']),
      new RegExp(`rebootVirtualMachine is running as job ${accepted[0]!.content['jobid']}`),
    );
  }
});

test('a destroyed instance is recovered at once, and destroyed only once', async (t) => {
  const cloud = await withCloud(t);
  const id = String((await cloud.deploy()).content['id']);
  await cloud.settle('Running');
  assert.equal((await cloud.call('recoverVirtualMachine', { id })).status, 431);
  await cloud.settle('Destroyed');
  const again = await cloud.call('destroyVirtualMachine', { id });
  assert.equal(again.status, 431);
  assert.match(String(again.content['errortext']), /is Destroyed already/);
  const answer = await cloud.call('recoverVirtualMachine', { id });
  assert.equal((answer.content['virtualmachine'] as { state: string }).state, 'Stopped');
  assert.equal(rows(await cloud.call('listEvents', { type: 'VM.RECOVER' })).length, 1);
});

test('users may not expunge or recover when the operator says so', async (t) => {
  const cloud = await withCloud(t);
  const ann = await addTenant(cloud.database, 'ann');
  const id = String((await cloud.deploy({}, ann)).content['id']);
  await cloud.settle('Destroyed');
  await cloud.call('updateConfiguration', { name: 'allow.user.expunge.recover.vm', value: 'false' });
  for (const command of ['expungeVirtualMachine', 'recoverVirtualMachine']) {
    assert.equal((await cloud.call(command, { id }, ann)).status, 531);
  }
  assert.equal((await cloud.call('recoverVirtualMachine', { id })).status, 200);
});

test('restoreVirtualMachine takes another template, and needs one when its own is deleted', async (t) => {
  const cloud = await withCloud(t);
  const id = String((await cloud.deploy()).content['id']);
  await cloud.settle('Stopped');
  await cloud.database.updateTable('vm_template').set({ removed: new Date() }).execute();
  const without = await cloud.call('restoreVirtualMachine', { virtualmachineid: id });
  assert.match(String(without.content['errortext']), /templateid.*has been deleted/);
  await cloud.database.updateTable('vm_template').set({ removed: null }).execute();
  const answer = await cloud.call('restoreVirtualMachine', {
    virtualmachineid: id,
    templateid: cloud.templateId,
  });
  assert.equal(answer.status, 200);
  assert.deepEqual(cloud.jobs.requests.at(-1)!.parameters, { vmId: 1, templateId: 1 });
});

test('tenants see and touch their own instances only, and nothing of the hosts', async (t) => {
  const cloud = await withCloud(t);
  const ann = await addTenant(cloud.database, 'ann');
  const bob = await addTenant(cloud.database, 'bob');
  const boss = await addTenant(cloud.database, 'boss', { type: 2, domainPath: '/eng/' });
  const eve = await addTenant(cloud.database, 'eve', { domainPath: '/eng/team/' });
  const anns = String((await cloud.deploy({}, ann)).content['id']);
  const eves = String((await cloud.deploy({}, eve)).content['id']);
  await cloud.settle('Running');
  const seen = async (keys: Keys, params: Params = { listall: 'true' }) =>
    rows(await cloud.call('listVirtualMachines', params, keys)).map((row) => row['id']);
  assert.deepEqual(await seen(ann), [anns]);
  assert.deepEqual(await seen(bob), []);
  assert.deepEqual(await seen(bob, { id: anns }), []);
  assert.deepEqual(await seen(boss), [eves]);
  assert.deepEqual(await seen(boss, {}), []);
  assert.deepEqual(await seen(cloud.admin, {}), []);
  assert.deepEqual(await seen(cloud.admin), [eves, anns]);
  assert.deepEqual(await seen(cloud.admin, { id: anns }), [anns]);
  assert.equal((await cloud.call('stopVirtualMachine', { id: anns }, bob)).status, 431);
  assert.equal((await cloud.call('listVirtualMachines', { account: 'ann' }, bob)).status, 431);
  const [own] = rows(await cloud.call('listVirtualMachines', {}, ann));
  for (const field of ['hostid', 'hostname', 'instancename']) assert.equal(field in own!, false, field);
  const [forAdmin] = rows(await cloud.call('listVirtualMachines', { id: anns }));
  assert.equal(forAdmin!['hostname'], 'host1');
});

test('an administrator deploys for another account, a user cannot', async (t) => {
  const cloud = await withCloud(t);
  await addTenant(cloud.database, 'ann');
  const bob = await addTenant(cloud.database, 'bob');
  const { id: domainid } = {
    id: (await cloud.database.selectFrom('domain').selectAll().executeTakeFirstOrThrow()).uuid,
  };
  const answer = await cloud.deploy({ account: 'ann', domainid });
  const [vm] = rows(await cloud.call('listVirtualMachines', { id: String(answer.content['id']) }));
  assert.equal(vm!['account'], 'ann');
  assert.equal((await cloud.deploy({ account: 'ann', domainid }, bob)).status, 431);
});

test('lists of instances are filtered by state, name, keyword, template, host, network and zone', async (t) => {
  const cloud = await withCloud(t);
  await cloud.deploy({ name: 'web-100' });
  await cloud.settle('Running');
  const count = async (params: Params) =>
    (await cloud.call('listVirtualMachines', { listall: 'true', ...params })).content['count'] ?? 0;
  const other = randomUUID();
  const found: readonly Params[] = [
    { state: 'running' },
    { state: 'Present' },
    { name: 'eb-1' },
    { keyword: 'WEB' },
    { templateid: cloud.templateId },
    { hostid: cloud.hostUuid },
    { networkid: cloud.ids.networkId },
    { zoneid: cloud.ids.zoneId },
    { serviceofferingid: cloud.offeringId },
    { userid: cloud.ids.userId },
    { clusterid: cloud.ids.clusterId },
    { hypervisor: 'kvm' },
  ];
  for (const params of found) assert.equal(await count(params), 1, JSON.stringify(params));
  const missed: readonly Params[] = [
    { state: 'Stopped' },
    { state: 'Nonsense' },
    { name: 'web%1' },
    { templateid: other },
    { hostid: other },
    { networkid: other },
    { storageid: other },
    { hypervisor: 'VMware' },
  ];
  for (const params of missed) assert.equal(await count(params), 0, JSON.stringify(params));
  await cloud.deploy({ name: 'Aaa' });
  const named = async (params: Params) =>
    rows(await cloud.call('listVirtualMachines', params)).map((row) => row['name']);
  assert.deepEqual(await named({}), ['Aaa', 'web-100']);
  assert.deepEqual(await named({ sortby: 'created' }), ['web-100', 'Aaa']);
  assert.deepEqual(await named({ sortby: 'name' }), ['Aaa', 'web-100']);
  assert.deepEqual(await named({ sortby: '-name' }), ['web-100', 'Aaa']);
  assert.deepEqual(await named({ sortby: 'state' }), ['web-100', 'Aaa'], 'Running before Starting');
  const refused = await cloud.call('listVirtualMachines', { sortby: 'id; drop' });
  assert.equal(refused.status, 431);
  assert.match(refused.text, /must be one of name, state, created/);
  await cloud.database.updateTable('vm_instance').set({ state: 'Expunged', removed: new Date() }).execute();
  assert.equal(await count({}), 0);
  assert.equal(await count({ state: 'Expunged' }), 2);
});

test('the console is read from the host of the instance, by its owner only', async (t) => {
  const cloud = await withCloud(t);
  const ann = await addTenant(cloud.database, 'ann');
  const id = String((await cloud.deploy()).content['id']);
  const never = await cloud.call('getVirtualMachineConsoleOutput', { id });
  assert.match(String(never.content['errortext']), /never been on a host/);
  await cloud.settle('Running');
  cloud.agents.answers['vm.console'] = ({ offset, limit }) => ({
    data: Buffer.from('boot\nGrüße\n')
      .subarray(offset, offset + limit)
      .toString('base64'),
    nextOffset: Math.min(13, offset + limit),
  });
  const answer = await cloud.call('getVirtualMachineConsoleOutput', { id, offset: '5' });
  assert.deepEqual(answer.content, { consoleoutput: { output: 'Grüße\n', nextoffset: 13 } });
  assert.equal((await cloud.call('getVirtualMachineConsoleOutput', { id }, ann)).status, 431);
  assert.equal((await cloud.call('getVirtualMachineConsoleOutput', { id, limit: '0' })).status, 431);
  cloud.agents.answers = {};
  assert.equal((await cloud.call('getVirtualMachineConsoleOutput', { id })).status, 534);
});

test('what a host says when the console cannot be read is for root admins', async (t) => {
  const cloud = await withCloud(t);
  const ann = await addTenant(cloud.database, 'ann');
  const id = String((await cloud.deploy({}, ann)).content['id']);
  await cloud.settle('Running');
  cloud.agents.answers['vm.console'] = () => {
    throw new AgentCallError('AGENT_FAULT', "EACCES: permission denied, open '/var/log/libvirt/qemu/i-2'");
  };
  const forAnn = await cloud.call('getVirtualMachineConsoleOutput', { id }, ann);
  assert.equal(forAnn.status, 530);
  assert.match(String(forAnn.content['errortext']), /its host failed; ask the operator/);
  assert.doesNotMatch(forAnn.text, /EACCES|libvirt/);
  const forAdmin = await cloud.call('getVirtualMachineConsoleOutput', { id });
  assert.match(String(forAdmin.content['errortext']), /EACCES/);
});

test('an instance whose deployment failed cannot be recovered: it has nothing to come back with', async (t) => {
  const cloud = await withCloud(t);
  const id = String((await cloud.deploy()).content['id']);
  await cloud.settle('Destroyed');
  await cloud.database.updateTable('volumes').set({ state: 'Expunged', removed: new Date() }).execute();
  const answer = await cloud.call('recoverVirtualMachine', { id });
  assert.equal(answer.status, 431);
  assert.match(String(answer.content['errortext']), /no disk to come back with/);
});
