import assert from 'node:assert/strict';
import { constants, createPrivateKey, privateDecrypt, randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { usableProbe } from '../http/testing/fake-ports.ts';
import { snapshotOf } from '../http/testing/snapshot.ts';
import {
  addHost,
  addTenant,
  type Keys,
  type Params,
  rows,
  type TestApi,
  withTestApi,
} from '../http/testing/test-api.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const ed25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ann';

interface Cloud extends TestApi {
  readonly templateId: string;
  deploy(params?: Params, keys?: Keys): ReturnType<TestApi['call']>;
  vm(id: unknown): Promise<Record<string, unknown>>;
  /** Ends every job, as workers would. */
  settle(state: string): Promise<void>;
}

async function withCloud(t: Parameters<typeof withTestApi>[0], template: Params = {}): Promise<Cloud> {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  const registered = await api.call('registerTemplate', {
    name: 'tiny',
    displaytext: 'tiny',
    url: 'https://images.example/tiny.qcow2',
    format: 'QCOW2',
    hypervisor: 'KVM',
    zoneid: api.ids.zoneId,
    ispublic: 'true',
    ...template,
  });
  const templateId = String(rows(registered)[0]!['id']);
  const offeringId = String(rows(await api.call('listServiceOfferings', { name: 'Micro' }))[0]!['id']);
  const base = { zoneid: api.ids.zoneId, templateid: templateId, serviceofferingid: offeringId };
  return {
    ...api,
    templateId,
    deploy: (params = {}, keys = api.admin) => api.call('deployVirtualMachine', { ...base, ...params }, keys),
    vm: async (id) =>
      rows(await api.call('listVirtualMachines', { id: String(id), userdata: 'true' }))[0] ?? {},
    async settle(state) {
      await api.database.updateTable('async_job').set({ job_status: 1, job_result: '{}' }).execute();
      await api.database.updateTable('vm_instance').set({ state }).execute();
    },
  };
}

function object(answer: Awaited<ReturnType<TestApi['call']>>, key: string): Record<string, unknown> {
  return answer.content[key] as Record<string, unknown>;
}

async function storeUserData(cloud: TestApi, name: string, text: string, keys = cloud.admin) {
  const answer = await cloud.call('registerUserData', { name, userdata: base64(text) }, keys);
  return String(object(answer, 'userdata')['id']);
}

test('a made key pair tells its private half once, and a tenant lists and deletes only its own', async (t) => {
  const api = await withTestApi(t);
  const ann = await addTenant(api.database, 'ann');
  const bob = await addTenant(api.database, 'bob');
  const made = object(await api.call('createSSHKeyPair', { name: 'laptop' }, ann), 'keypair');
  assert.match(String(made['privatekey']), /^-----BEGIN RSA PRIVATE KEY-----/);
  const listed = await api.call('listSSHKeyPairs', {}, ann);
  assert.deepEqual(
    rows(listed).map((row) => [row['name'], row['fingerprint'], row['account']]),
    [['laptop', made['fingerprint'], 'ann']],
  );
  assert.doesNotMatch(listed.text, /PRIVATE/);
  const stored = await api.database.selectFrom('ssh_keypairs').selectAll().execute();
  assert.doesNotMatch(JSON.stringify(stored), /PRIVATE/);
  assert.deepEqual(rows(await api.call('listSSHKeyPairs', { listall: 'true' }, bob)), []);
  assert.deepEqual(rows(await api.call('listSSHKeyPairs', { id: String(made['id']) }, bob)), []);
  assert.equal((await api.call('deleteSSHKeyPair', { name: 'laptop' }, bob)).status, 431);
  const forAnn = { name: 'laptop', account: 'ann' };
  assert.equal((await api.call('deleteSSHKeyPair', forAnn, bob)).status, 431);
  assert.equal((await api.call('deleteSSHKeyPair', { name: 'laptop' }, ann)).status, 200);
  assert.deepEqual(rows(await api.call('listSSHKeyPairs', {}, ann)), []);
});

test('a name or a key that the account has already, and what is no key, are refused by name', async (t) => {
  const api = await withTestApi(t);
  assert.equal((await api.call('registerSSHKeyPair', { name: 'a', publickey: ed25519 })).status, 200);
  const before = await snapshotOf(api.database);
  const cases = [
    [{ name: 'b', publickey: ed25519 }, /publickey: the account has this key already/],
    [{ name: 'a', publickey: ed25519.replace('ann', 'x') }, /name: the account has a key pair a already/],
    [{ name: 'c', publickey: 'ssh-ed25519 AAAA' }, /publickey: must be one line/],
    [{ name: 'a,b', publickey: ed25519 }, /name: must not contain a comma/],
  ] as const;
  for (const [params, reason] of cases) {
    const answer = await api.call('registerSSHKeyPair', params);
    assert.equal(answer.status, 431);
    assert.match(String(answer.content['errortext']), reason);
  }
  assert.deepEqual(await snapshotOf(api.database), before);
});

test('stored user data is told to its owner, and kept while an instance or a template uses it', async (t) => {
  const cloud = await withCloud(t);
  const ann = await addTenant(cloud.database, 'ann');
  const bob = await addTenant(cloud.database, 'bob');
  const registered = await cloud.call(
    'registerUserData',
    { name: 'web', userdata: base64('#cloud-config'), params: 'tier, size' },
    ann,
  );
  const data = object(registered, 'userdata');
  assert.equal(data['params'], 'tier,size');
  const id = String(data['id']);
  assert.deepEqual(rows(await cloud.call('listUserData', { id }, bob)), []);
  assert.equal((await cloud.call('deleteUserData', { id }, bob)).status, 431);
  assert.match(
    String((await cloud.deploy({ userdataid: id }, bob)).content['errortext']),
    /userdataid value=.* entity does not exist/,
  );
  const deployed = await cloud.deploy(
    { userdataid: id, 'userdatadetails[0].tier': 'gold', startvm: 'false' },
    ann,
  );
  const vm = await cloud.vm(deployed.content['id']);
  assert.equal(vm['userdata'], base64('#cloud-config'));
  assert.equal(vm['userdataid'], id);
  assert.equal(vm['userdataname'], 'web');
  assert.equal(vm['userdatadetails'], '{tier=gold}');
  const used = await cloud.call('deleteUserData', { id }, ann);
  assert.equal(used.status, 536);
  await cloud.database.updateTable('vm_instance').set({ removed: new Date() }).execute();
  assert.equal((await cloud.call('deleteUserData', { id }, ann)).status, 200);
  assert.deepEqual(rows(await cloud.call('listUserData', {}, ann)), []);
});

test('user data that is no Base64, too long or given twice is refused by name', async (t) => {
  const cloud = await withCloud(t);
  const id = await storeUserData(cloud, 'web', 'x');
  const before = await snapshotOf(cloud.database);
  const cases = [
    [{ userdata: '#cloud-config' }, /userdata: must be Base64/],
    [{ userdata: 'A'.repeat(1_048_577) }, /userdata: must not be longer than 1048576/],
    [{ userdata: 'AAAA', userdataid: id }, /userdata: cannot be used together with userdataid/],
    [{ 'userdatadetails[0].../x': '1' }, /userdatadetails: a name has/],
    [{ keypair: 'none' }, /keypair: .* has no SSH key pair none/],
    [{ keypairs: 'x,y', keypair: 'x' }, /keypair: cannot be used together/],
  ] as const;
  for (const [params, reason] of cases) {
    const answer = await cloud.deploy(params);
    assert.equal(answer.status, 431);
    assert.match(String(answer.content['errortext']), reason);
  }
  assert.deepEqual(await snapshotOf(cloud.database), before);
});

test('a mebibyte of user data reaches the instance whole', async (t) => {
  const cloud = await withCloud(t);
  const userdata = 'A'.repeat(1_048_576);
  const answer = await cloud.deploy({ userdata, startvm: 'false' });
  assert.equal(answer.status, 200, answer.text.slice(0, 200));
  assert.equal((await cloud.vm(answer.content['id']))['userdata'], userdata);
});

test('a list tells 16 MiB of user data at most, and the rest by its ID', async (t) => {
  const api = await withTestApi(t);
  const account = await api.database.selectFrom('account').select('id').executeTakeFirstOrThrow();
  const values = Array.from({ length: 18 }, (_, index) => ({
    uuid: randomUUID(),
    account_id: account.id,
    name: `data ${index}`,
    user_data: 'A'.repeat(1024 * 1024),
  }));
  await api.database.insertInto('user_data').values(values).execute();
  const listed = rows(await api.call('listUserData'));
  assert.equal(listed.length, 18);
  assert.equal(listed.filter((row) => row['userdata'] !== undefined).length, 16);
  const [last] = rows(await api.call('listUserData', { id: values[17]!.uuid }));
  assert.equal(String(last!['userdata']).length, 1024 * 1024);
});

test('the link of user data to a template decides what a deployment may give', async (t) => {
  const cloud = await withCloud(t);
  const userdataid = await storeUserData(cloud, 'base', '#cloud-config\nbase: 1');
  const link = (userdatapolicy: string) =>
    cloud.call('linkUserDataToTemplate', { templateid: cloud.templateId, userdataid, userdatapolicy });
  const own = { userdata: base64('#!/bin/sh'), startvm: 'false' };
  const given = async (params: Params) =>
    String((await cloud.vm((await cloud.deploy(params)).content['id']))['userdata']);

  const linked = object(await link('allowoverride'), 'template');
  assert.equal(linked['userdatapolicy'], 'ALLOWOVERRIDE');
  assert.equal(linked['userdataname'], 'base');
  assert.equal(await given({ startvm: 'false' }), base64('#cloud-config\nbase: 1'));
  assert.equal(await given(own), own.userdata);

  await link('APPEND');
  const both = Buffer.from(await given(own), 'base64').toString();
  assert.match(both, /multipart\/mixed/);
  assert.ok(both.indexOf(base64('#cloud-config\nbase: 1')) < both.indexOf(own.userdata));

  await link('DENYOVERRIDE');
  const refused = await cloud.deploy(own);
  assert.equal(refused.status, 431);
  assert.match(String(refused.content['errortext']), /userdata: template tiny has user data/);
  assert.equal((await cloud.call('deleteUserData', { id: userdataid })).status, 536);
  assert.match(String((await link('never')).content['errortext']), /userdatapolicy: must be one of/);

  const none = await cloud.call('linkUserDataToTemplate', { templateid: cloud.templateId });
  assert.equal(object(none, 'template')['userdataid'], undefined);
});

test('an instance gets the keys that are named, of its owner’s account only', async (t) => {
  const cloud = await withCloud(t);
  const ann = await addTenant(cloud.database, 'ann');
  const bob = await addTenant(cloud.database, 'bob');
  await cloud.call('registerSSHKeyPair', { name: 'one', publickey: ed25519 }, ann);
  await cloud.call('createSSHKeyPair', { name: 'two' }, ann);
  await cloud.call('createSSHKeyPair', { name: 'three' }, bob);
  assert.equal((await cloud.deploy({ keypair: 'three' }, ann)).status, 431);
  const { id } = (await cloud.deploy({ keypairs: 'two,one' }, ann)).content;
  assert.equal((await cloud.vm(id))['keypairs'], 'two,one');
  const found = rows(await cloud.call('listVirtualMachines', { keypair: 'one', listall: 'true' }));
  assert.deepEqual(
    found.map((row) => row['id']),
    [id],
  );
  assert.deepEqual(rows(await cloud.call('listVirtualMachines', { keypair: 'on', listall: 'true' })), []);
  await cloud.call('deleteSSHKeyPair', { name: 'one' }, ann);
  assert.equal((await cloud.vm(id))['keypairs'], 'two,one', 'an instance keeps its keys');
});

test('a password is kept only encrypted with the key, and told to nobody else', async (t) => {
  const cloud = await withCloud(t, { passwordenabled: 'true' });
  const ann = await addTenant(cloud.database, 'ann');
  const bob = await addTenant(cloud.database, 'bob');
  const made = object(await cloud.call('createSSHKeyPair', { name: 'mine' }, ann), 'keypair');
  const id = String((await cloud.deploy({ keypair: 'mine', startvm: 'false' }, ann)).content['id']);
  const row = await cloud.database.selectFrom('vm_instance').selectAll().executeTakeFirstOrThrow();
  const told = object(await cloud.call('getVMPassword', { id }, ann), 'password');
  const raw = privateDecrypt(
    { key: createPrivateKey(String(made['privatekey'])), padding: constants.RSA_NO_PADDING },
    Buffer.from(String(told['encryptedpassword']), 'base64'),
  );
  assert.equal(raw.subarray(raw.indexOf(0, 2) + 1).toString(), row.new_password);
  assert.equal((await cloud.call('getVMPassword', { id }, bob)).status, 431);
  const shown = await cloud.call('listVirtualMachines', { id }, ann);
  assert.ok(!shown.text.includes(row.new_password!));
});

test('without an RSA key, or from a template that takes none, no password is kept', async (t) => {
  const cloud = await withCloud(t);
  await cloud.call('registerSSHKeyPair', { name: 'one', publickey: ed25519 });
  const { id } = (await cloud.deploy({ keypair: 'one' })).content;
  const answer = await cloud.call('getVMPassword', { id: String(id) });
  assert.equal(answer.status, 431);
  const row = await cloud.database.selectFrom('vm_instance').selectAll().executeTakeFirstOrThrow();
  assert.equal(row.new_password, null);
  await cloud.settle('Stopped');
  const reset = await cloud.call('resetPasswordForVirtualMachine', { id: String(id) });
  assert.match(String(reset.content['errortext']), /takes no password/);
});

test('resetting the keys replaces them all and renews the password for the new key', async (t) => {
  const cloud = await withCloud(t, { passwordenabled: 'true' });
  await cloud.call('createSSHKeyPair', { name: 'old' });
  await cloud.call('createSSHKeyPair', { name: 'new' });
  const id = String((await cloud.deploy({ keypair: 'old' })).content['id']);
  await cloud.settle('Stopped');
  const before = await cloud.database.selectFrom('vm_instance').selectAll().executeTakeFirstOrThrow();
  assert.match(
    String((await cloud.call('resetSSHKeyForVirtualMachine', { id })).content['errortext']),
    /keypairs: must name/,
  );
  const answer = await cloud.call('resetSSHKeyForVirtualMachine', { id, keypairs: 'new' });
  assert.equal(answer.status, 200);
  const after = await cloud.database.selectFrom('vm_instance').selectAll().executeTakeFirstOrThrow();
  assert.deepEqual(
    after.ssh_keys.map(({ name }) => name),
    ['new'],
  );
  assert.notEqual(after.new_password, before.new_password);
  assert.notEqual(after.encrypted_password, before.encrypted_password);
});
