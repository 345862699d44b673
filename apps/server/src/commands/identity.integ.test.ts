import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { sql } from 'kysely';
import { usableProbe } from '../http/testing/fake-ports.ts';
import { snapshotOf } from '../http/testing/snapshot.ts';
import {
  addHost,
  adminPassword,
  encodeQuery,
  type Keys,
  type Params,
  rows,
  type TestApi,
  withTestApi,
} from '../http/testing/test-api.ts';

const person = { email: 'x@example.org', firstname: 'Ada', lastname: 'Lovelace', password: 'correct horse' };

/** A call that must succeed. @returns the entity, or what else the answer holds */
async function ok(api: TestApi, command: string, params: Params, keys: Keys = api.admin) {
  const answer = await api.call(command, params, keys);
  assert.equal(answer.status, 200, `${command}: ${answer.text}`);
  const [value] = Object.values(answer.content);
  return (typeof value === 'object' && value !== null ? value : answer.content) as Record<string, unknown>;
}

/** A call that must be refused and change nothing. @returns the reason */
async function refused(
  api: TestApi,
  command: string,
  params: Params,
  keys: Keys = api.admin,
): Promise<string> {
  const before = await snapshotOf(api.database);
  const answer = await api.call(command, params, keys);
  assert.notEqual(answer.status, 200, `${command} was not refused: ${answer.text}`);
  assert.deepEqual(await snapshotOf(api.database), before, `${command} changed something`);
  return String(answer.content['errortext']);
}

/** An account with its first user and keys of that one. */
async function makeAccount(api: TestApi, name: string, params: Params = {}, keys: Keys = api.admin) {
  const account = await ok(
    api,
    'createAccount',
    { ...person, username: name, accounttype: '0', ...params },
    keys,
  );
  const [user] = account['user'] as Record<string, unknown>[];
  const made = await ok(api, 'registerUserKeys', { id: String(user!['id']) }, keys);
  return {
    id: String(account['id']),
    userId: String(user!['id']),
    account,
    apiKey: String(made['apikey']),
    secretKey: String(made['secretkey']),
  };
}

async function login(api: TestApi, username: string, password: string, domain = '/') {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const body = encodeQuery({ command: 'login', response: 'json', username, password, domain });
  return api.send('', { method: 'POST', headers, body });
}

async function roleNamed(api: TestApi, name: string): Promise<string> {
  return String(rows(await api.call('listRoles', { name }))[0]!['id']);
}

async function withDomains(t: TestContext) {
  const api = await withTestApi(t);
  const acme = await ok(api, 'createDomain', { name: 'acme' });
  const lab = await ok(api, 'createDomain', { name: 'lab', parentdomainid: String(acme['id']) });
  const chief = await makeAccount(api, 'chief', { accounttype: '2', domainid: String(acme['id']) });
  return { api, acme: String(acme['id']), lab: String(lab['id']), chief };
}

test('domains are a tree: made, listed, renamed with all below, and deleted when nothing is inside', async (t) => {
  const { api, acme, lab } = await withDomains(t);
  const [row] = rows(await api.call('listDomains', { id: lab }));
  assert.deepEqual(
    [row!['path'], row!['level'], row!['parentdomainid'], row!['haschild']],
    ['ROOT/acme/lab', 2, acme, false],
  );
  assert.match(await refused(api, 'createDomain', { name: 'ACME' }), /there is a domain .*already/);
  assert.match(await refused(api, 'createDomain', { name: 'a/b' }), /name.*no slash/);
  await ok(api, 'updateDomain', { id: acme, name: 'umbrella' });
  assert.equal(rows(await api.call('listDomains', { id: lab }))[0]!['path'], 'ROOT/umbrella/lab');
  const children = rows(await api.call('listDomainChildren', { isrecursive: 'true' }));
  assert.deepEqual(
    children.map(({ name }) => name),
    ['umbrella', 'lab'],
  );
  assert.match(
    await refused(api, 'deleteDomain', { id: acme }),
    /umbrella still has domain lab, account chief: .*cleanup=true/,
  );
  await ok(api, 'deleteDomain', { id: acme, cleanup: 'true' });
  assert.deepEqual(
    rows(await api.call('listDomains')).map(({ path }) => path),
    ['ROOT'],
  );
  // the name is free again
  await ok(api, 'createDomain', { name: 'umbrella' });
});

test('an account comes with its user, who can log in, and is kept out at once when it is disabled', async (t) => {
  const api = await withTestApi(t);
  const tenant = await makeAccount(api, 'tenant');
  assert.equal(tenant.account['rolename'], 'User');
  assert.equal(tenant.account['vmlimit'], '20');
  assert.equal((await login(api, 'tenant', person.password)).status, 200);
  assert.equal((await api.call('listZones', {}, tenant)).status, 200);
  for (const [command, state] of [
    ['disableAccount', 'disabled'],
    ['lockAccount', 'locked'],
  ] as const) {
    const which =
      command === 'lockAccount'
        ? { account: 'tenant', domainid: String(tenant.account['domainid']) }
        : { id: tenant.id, lock: 'false' };
    await ok(api, command, which);
    assert.equal((await api.call('listZones', {}, tenant)).status, 401);
    assert.equal((await login(api, 'tenant', person.password)).status, 531);
    assert.deepEqual(await api.database.selectFrom('user_session').select('id').execute(), []);
    assert.equal(rows(await api.call('listAccounts', { id: tenant.id }))[0]!['state'], state);
    await ok(api, 'enableAccount', { id: tenant.id });
    assert.equal((await login(api, 'tenant', person.password)).status, 200);
  }
  await ok(api, 'updateAccount', { id: tenant.id, newname: 'renter' });
  await ok(api, 'deleteAccount', { id: tenant.id });
  assert.equal((await api.call('listZones', {}, tenant)).status, 401);
  await makeAccount(api, 'renter');
});

test('an account that still has something is not deleted, and it is said what', async (t) => {
  const api = await withTestApi(t);
  const tenant = await makeAccount(api, 'tenant');
  await ok(api, 'registerSSHKeyPair', {
    name: 'mine',
    publickey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl',
    account: 'tenant',
    domainid: String(tenant.account['domainid']),
  });
  await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  const registration = { name: 'debian', displaytext: 'x', format: 'QCOW2', hypervisor: 'KVM' };
  await ok(
    api,
    'registerTemplate',
    { ...registration, url: 'https://images.example/x', zoneid: api.ids.zoneId },
    tenant,
  );
  assert.match(
    await refused(api, 'deleteAccount', { id: tenant.id }),
    /account tenant still has template debian/,
  );
  await api.database.updateTable('vm_template').set({ removed: new Date() }).execute();
  await ok(api, 'deleteAccount', { id: tenant.id });
  assert.deepEqual(await api.database.selectFrom('ssh_keypairs').select('id').execute(), []);
});

test('users are made, changed, kept out and deleted; one’s own password needs the one before', async (t) => {
  const api = await withTestApi(t);
  const tenant = await makeAccount(api, 'tenant');
  const second = await ok(api, 'createUser', { ...person, username: 'second', account: 'tenant' });
  assert.equal(second['account'], 'tenant');
  assert.match(
    await refused(api, 'createUser', { ...person, username: 'SECOND', account: 'tenant' }),
    /username.*already/,
  );
  assert.match(
    await refused(api, 'createUser', { ...person, username: 'x', account: 'tenant', password: 'short' }),
    /password.*8 characters/,
  );
  const self = { id: tenant.userId, password: 'another horse' };
  assert.match(await refused(api, 'updateUser', self, tenant), /currentpassword.*needed/);
  assert.match(
    await refused(api, 'updateUser', { ...self, currentpassword: 'wrong' }, tenant),
    /currentpassword.*not your password/,
  );
  await login(api, 'tenant', person.password);
  await ok(api, 'updateUser', { ...self, currentpassword: person.password }, tenant);
  assert.deepEqual(await api.database.selectFrom('user_session').select('id').execute(), []);
  assert.equal((await login(api, 'tenant', person.password)).status, 531);
  assert.equal((await login(api, 'tenant', 'another horse')).status, 200);
  const other = { id: String(second['id']) };
  assert.match(await refused(api, 'updateUser', { ...other, email: 'me@evil' }, tenant), /no permission/);
  await ok(api, 'disableUser', other);
  assert.equal((await login(api, 'second', person.password)).status, 531);
  await ok(api, 'enableUser', other);
  assert.equal((await login(api, 'second', person.password)).status, 200);
  await ok(api, 'deleteUser', other);
  assert.equal((await login(api, 'second', person.password)).status, 531);
  const [admin] = rows(await api.call('listUsers', { username: 'admin' }));
  assert.match(
    await refused(api, 'deleteUser', { id: String(admin!['id']) }),
    /cannot be deleted by yourself/,
  );
});

test('a domain admin rules its own tree and nothing beside or above it', async (t) => {
  const { api, acme, lab, chief } = await withDomains(t);
  const inLab = await makeAccount(api, 'worker', { domainid: lab }, chief);
  const outside = await makeAccount(api, 'stranger');
  const names = async (params: Params) =>
    rows(await api.call('listAccounts', params, chief)).map(({ name }) => name);
  assert.deepEqual(await names({}), ['chief']);
  assert.deepEqual(await names({ listall: 'true' }), ['chief', 'worker']);
  assert.deepEqual(await names({ id: outside.id }), []);
  assert.deepEqual(
    rows(await api.call('listDomains', { listall: 'true' }, chief)).map(({ path }) => path),
    ['ROOT/acme', 'ROOT/acme/lab'],
  );
  for (const [command, params, reason] of [
    ['createDomain', { name: 'x', parentdomainid: String(outside.account['domainid']) }, /does not exist/],
    ['updateDomain', { id: acme, name: 'mine' }, /your own domain/],
    ['deleteDomain', { id: acme, cleanup: 'true' }, /your own domain/],
    ['disableAccount', { id: outside.id, lock: 'false' }, /does not exist/],
    ['deleteAccount', { id: chief.id }, /your own account/],
    ['updateUser', { id: outside.userId, password: 'taken over' }, /does not exist/],
    ['registerUserKeys', { id: outside.userId }, /does not exist/],
    ['createAccount', { ...person, username: 'root2', accounttype: '1' }, /which yours may not/],
    ['createUser', { ...person, username: 'root2', account: 'admin' }, /no account admin/],
    ['createRole', { name: 'x', type: 'User' }, /does not exist|not available/],
  ] as const)
    assert.match(await refused(api, command, params, chief), reason, command);
  await ok(api, 'disableAccount', { id: inLab.id, lock: 'false' }, chief);
});

test('rules of a role narrow what its accounts may do, in their order; a read-only admin changes nothing', async (t) => {
  const api = await withTestApi(t);
  const role = await ok(api, 'createRole', { name: 'Operator', type: 'User' });
  const roleid = String(role['id']);
  const tenant = await makeAccount(api, 'tenant', { accounttype: '', roleid });
  assert.equal(tenant.account['rolename'], 'Operator');
  assert.match(await refused(api, 'listZones', {}, tenant), /listZones.*not (exist|available)/i);
  const allowed = await ok(api, 'createRolePermission', { roleid, rule: 'list*', permission: 'allow' });
  assert.equal((await api.call('listZones', {}, tenant)).status, 200);
  // a rule gives no more than the type has
  assert.equal((await api.call('listHosts', {}, tenant)).status, 432);
  const denied = await ok(api, 'createRolePermission', { roleid, rule: 'listZones', permission: 'deny' });
  assert.equal((await api.call('listZones', {}, tenant)).status, 200);
  const order = [denied, allowed].map(({ id }) => String(id));
  await ok(api, 'updateRolePermission', { roleid, ruleorder: order.join(',') });
  assert.equal((await api.call('listZones', {}, tenant)).status, 432);
  const visible = rows(await api.call('listApis', {}, tenant)).map(({ name }) => name);
  assert.ok(visible.includes('listTemplates') && visible.includes('listApis'));
  assert.ok(!visible.includes('listZones') && !visible.includes('deployVirtualMachine'));
  await ok(api, 'updateRolePermission', { roleid, ruleid: order[0]!, permission: 'allow' });
  assert.equal((await api.call('listZones', {}, tenant)).status, 200);
  await ok(api, 'deleteRolePermission', { id: order[1]! });
  assert.equal((await api.call('listTemplates', { templatefilter: 'self' }, tenant)).status, 432);
  assert.match(await refused(api, 'deleteRole', { id: roleid }), /role Operator still has account tenant/);
  assert.match(
    await refused(api, 'createRolePermission', { roleid, rule: 'flyToTheMoon', permission: 'allow' }),
    /rule.*must be a command/,
  );
  const builtIn = await roleNamed(api, 'Root Admin');
  assert.match(
    await refused(api, 'createRolePermission', { roleid: builtIn, rule: 'list*', permission: 'deny' }),
    /Root Admin came with the cloud/,
  );

  const reader = await makeAccount(api, 'reader', {
    accounttype: '',
    roleid: await roleNamed(api, 'Read-Only Admin - Default'),
  });
  assert.equal((await api.call('listHosts', {}, reader)).status, 200);
  const [admin] = rows(await api.call('listUsers', { username: 'admin' }));
  const id = String(admin!['id']);
  for (const [command, params] of [
    ['updateUser', { id, password: 'taken over' }],
    ['registerUserKeys', { id }],
    ['getUserKeys', { id }],
    ['createAccount', { ...person, username: 'x', accounttype: '0' }],
    ['updateConfiguration', { name: 'session.timeout', value: '60' }],
  ] as const)
    assert.match(await refused(api, command, params, reader), /not (exist|available)/i, command);
});

test('an administrator with fewer commands cannot become one with more', async (t) => {
  const api = await withTestApi(t);
  const role = await ok(api, 'createRole', { name: 'Help desk', type: 'Admin' });
  const roleid = String(role['id']);
  for (const rule of [
    'list*',
    'updateUser',
    'registerUserKeys',
    'createAccount',
    'updateAccount',
    'createUser',
  ])
    await ok(api, 'createRolePermission', { roleid, rule, permission: 'allow' });
  const desk = await makeAccount(api, 'desk', { accounttype: '', roleid });
  const tenant = await makeAccount(api, 'tenant');
  const [admin] = rows(await api.call('listUsers', { username: 'admin' }));
  const id = String(admin!['id']);
  for (const [command, params] of [
    ['updateUser', { id, password: 'taken over' }],
    ['registerUserKeys', { id }],
    ['createUser', { ...person, username: 'x', account: 'admin' }],
    ['createAccount', { ...person, username: 'x', accounttype: '1' }],
    ['updateAccount', { id: desk.id, roleid: await roleNamed(api, 'Root Admin') }],
    // a tenant may deploy, which the help desk may not
    ['registerUserKeys', { id: tenant.userId }],
  ] as const)
    assert.match(await refused(api, command, params, desk), /which yours may not|your own account/, command);
  assert.equal((await login(api, 'admin', adminPassword)).status, 200);
});

test('a guest’s new password in a job’s answer is not for those who may only read', async (t) => {
  const api = await withTestApi(t);
  const tenant = await makeAccount(api, 'tenant');
  const roleid = await roleNamed(api, 'Read-Only Admin - Default');
  const reader = await makeAccount(api, 'reader', { accounttype: '', roleid });
  const owner = await api.database
    .selectFrom('user')
    .select(['id', 'account_id'])
    .where('uuid', '=', tenant.userId)
    .executeTakeFirstOrThrow();
  const job = await api.database
    .insertInto('async_job')
    .values({
      uuid: randomUUID(),
      user_id: owner.id,
      account_id: owner.account_id,
      job_cmd: 'resetPasswordForVirtualMachine',
      job_cmd_info: '{}',
      job_status: 1,
      job_result: JSON.stringify({ virtualmachine: { id: randomUUID(), password: 'of the guest' } }),
    })
    .returning('uuid')
    .executeTakeFirstOrThrow();
  const told = async (keys: Keys) =>
    (await api.call('queryAsyncJobResult', { jobid: job.uuid }, keys)).text.includes('of the guest');
  assert.deepEqual([await told(tenant), await told(api.admin), await told(reader)], [true, true, false]);
  const listed = await api.call('listAsyncJobs', { listall: 'true' }, reader);
  assert.match(listed.text, new RegExp(job.uuid));
  assert.doesNotMatch(listed.text, /of the guest/);
});

test('what comes too late for an account that was deleted does not begin to exist', async (t) => {
  const api = await withTestApi(t);
  const tenant = await makeAccount(api, 'tenant');
  await ok(api, 'deleteAccount', { id: tenant.id });
  await assert.rejects(
    sql`insert into volumes (uuid, name, state, data_center_id, account_id)
      select gen_random_uuid(), 'late', 'Allocated', data_center.id, account.id from data_center, account
      where account.uuid = ${tenant.id}`.execute(api.database),
    /account \d+ is removed/,
  );
});
