import assert from 'node:assert/strict';
import { test } from 'node:test';
import { usableProbe } from '../http/testing/fake-ports.ts';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addHost, addTenant, type Keys, rows, withTestApi } from '../http/testing/test-api.ts';

async function withTenants(t: Parameters<typeof withTestApi>[0]) {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () => usableProbe();
  const ada = await addTenant(api.database, 'ada', { domainPath: '/acme/' });
  const bob = await addTenant(api.database, 'bob', { domainPath: '/acme/' });
  const chief = await addTenant(api.database, 'chief', { type: 2, domainPath: '/acme/' });
  const register = (keys?: Keys) =>
    api.call(
      'registerTemplate',
      {
        ...{ name: 'tiny', displaytext: 'tiny', url: 'https://images.example/t', format: 'QCOW2' },
        ...{ hypervisor: 'KVM', directdownload: 'true', zoneid: api.ids.zoneId },
      },
      keys,
    );
  const registered = rows(await register());
  const templateid = String(registered[0]!['id']);
  await api.call('updateTemplatePermissions', { id: templateid, ispublic: 'true' });
  const [offering] = rows(await api.call('listServiceOfferings'));
  const deploy = (keys: Keys, more: Record<string, string> = {}) =>
    api.call(
      'deployVirtualMachine',
      {
        zoneid: api.ids.zoneId,
        serviceofferingid: String(offering!['id']),
        templateid,
        startvm: 'false',
        ...more,
      },
      keys,
    );
  const domain = await api.database
    .selectFrom('domain')
    .select(['uuid'])
    .where('path', '=', '/acme/')
    .executeTakeFirstOrThrow();
  const limit = (account: string | undefined, resourcetype: string, max: string, keys?: Keys) =>
    api.call(
      'updateResourceLimit',
      { domainid: domain.uuid, ...(account === undefined ? {} : { account }), resourcetype, max },
      keys,
    );
  return { api, ada, bob, chief, register, deploy, limit, domainid: domain.uuid };
}

test('limits are told by account and by domain, the defaults being settings', async (t) => {
  const { api, ada, limit, domainid } = await withTenants(t);
  const told = rows(await api.call('listResourceLimits', {}, ada));
  assert.equal(told.length, 12);
  const instances = told.find((row) => row['resourcetypename'] === 'user_vm')!;
  assert.deepEqual(
    { ...instances, domainid: undefined },
    {
      account: 'ada',
      domain: 'acme',
      domainid: undefined,
      resourcetype: '0',
      resourcetypename: 'user_vm',
      max: 20,
    },
  );
  assert.equal((await limit('ada', '0', '3')).status, 200);
  const [now] = rows(await api.call('listResourceLimits', { resourcetype: '0' }, ada));
  assert.equal(now!['max'], 3);
  await api.call('updateConfiguration', { name: 'max.account.volumes', value: '7' });
  const [volumes] = rows(await api.call('listResourceLimits', { resourcetypename: 'volume' }, ada));
  assert.equal(volumes!['max'], 7);
  const [ofRoot] = rows(await api.call('listResourceLimits', { resourcetype: '0' }));
  assert.equal(ofRoot!['max'], -1, 'root admins have none');
  const [ofDomain] = rows(await api.call('listResourceLimits', { resourcetype: '0', domainid }));
  assert.equal(ofDomain!['max'], -1);
  assert.equal(ofDomain!['account'], undefined);
});

test('an account gets no more than its limits, of anything, and is told which', async (t) => {
  const { api, ada, bob, register, deploy, limit } = await withTenants(t);
  await limit('ada', '0', '1');
  assert.equal((await deploy(ada)).status, 200);
  const refused = await deploy(ada);
  assert.equal(refused.status, 535);
  assert.match(
    refused.text,
    /Maximum amount of resources of Type = 'user_vm' for Account Name = ada has been exceeded: 1 of 1 are in use/,
  );
  assert.equal((await deploy(bob)).status, 200, 'others have their own');
  await limit('bob', '4', '0');
  assert.match((await register(bob)).text, /'template' for Account Name = bob/);
  await limit('bob', '9', '100');
  assert.match((await deploy(bob)).text, /'memory'/);
  await limit('bob', '9', '-1');
  await limit('bob', '8', '1');
  assert.match((await deploy(bob)).text, /'cpu'/);
  await limit('bob', '8', '-1');
  await limit('bob', '10', '5');
  const disks = rows(await api.call('listDiskOfferings', {}, bob)).find((row) => row['iscustomized']);
  const volume = await api.call(
    'createVolume',
    { name: 'v', zoneid: api.ids.zoneId, diskofferingid: String(disks!['id']), size: '6' },
    bob,
  );
  assert.match(volume.text, /'primary_storage' for Account Name = bob .*3 of 5 are in use, 6 more/);
  await limit('bob', '2', '1');
  assert.match((await deploy(bob, { rootdisksize: '3' })).text, /'volume'/);
});

test('parallel requests cannot share the last place', async (t) => {
  const { api, ada, deploy, limit } = await withTenants(t);
  await limit('ada', '0', '3');
  const answers = await Promise.all(Array.from({ length: 8 }, () => deploy(ada)));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 200, 200, 535, 535, 535, 535, 535]);
  const count = rows(await api.call('listVirtualMachines', {}, ada)).length;
  assert.equal(count, 3);
});

test('a domain’s limit is shared by the accounts in it and below', async (t) => {
  const { api, ada, bob, deploy, limit } = await withTenants(t);
  const deep = await addTenant(api.database, 'deep', { domainPath: '/acme/lab/' });
  await limit(undefined, '0', '2');
  assert.equal((await deploy(ada)).status, 200);
  assert.equal((await deploy(deep)).status, 200);
  assert.match((await deploy(bob)).text, /'user_vm' for Domain Name = acme has been exceeded: 2 of 2/);
});

test('what is destroyed counts no more, and counts again when it is recovered', async (t) => {
  const { api, ada, deploy, limit } = await withTenants(t);
  await limit('ada', '0', '1');
  const first = await deploy(ada);
  const id = String(first.content['id']);
  await api.database.updateTable('vm_instance').set({ state: 'Destroyed' }).where('uuid', '=', id).execute();
  await api.database.updateTable('async_job').set({ job_status: 1 }).execute();
  assert.equal((await deploy(ada)).status, 200);
  const back = await api.call('recoverVirtualMachine', { id });
  assert.equal(back.status, 535, back.text);
  assert.equal((await limit('ada', '0', '2')).status, 200);
  assert.equal((await api.call('recoverVirtualMachine', { id })).status, 200);
});

test('accounts and domains tell what they have, may have and have left', async (t) => {
  const { api, ada, deploy, limit } = await withTenants(t);
  await limit('ada', '0', '4');
  await deploy(ada);
  const [account] = rows(await api.call('listAccounts', {}, ada));
  assert.deepEqual([account!['vmtotal'], account!['vmlimit'], account!['vmavailable']], [1, '4', '3']);
  assert.deepEqual(
    [account!['primarystoragetotal'], account!['primarystoragelimit'], account!['primarystorageavailable']],
    [3, '200', '197'],
  );
  const [domain] = rows(await api.call('listDomains', { name: 'acme' }));
  assert.deepEqual([domain!['vmtotal'], domain!['vmlimit']], [1, 'Unlimited']);
});

test('nobody raises their own limits, and what breaks a rule changes nothing', async (t) => {
  const { api, ada, bob, chief, limit } = await withTenants(t);
  const before = await snapshotOf(api.database);
  for (const [answer, rule] of [
    [await limit('ada', '0', '99', ada), /not available/],
    [await limit('chief', '0', '99', chief), /account.*administrator above/],
    [await limit(undefined, '0', '99', chief), /domainid.*administrator above/],
    [await limit('nobody', '0', '99'), /account/],
    [await limit('ada', '1', '99'), /resourcetype.*public_ip/],
    [await limit('ada', '77', '99'), /resourcetype/],
    [await limit('ada', '0', '-2'), /max/],
    [await limit('ada', '0', 'many'), /max/],
  ] as const) {
    assert.notEqual(answer.status, 200, answer.text);
    assert.match(answer.text, rule);
  }
  assert.deepEqual(await snapshotOf(api.database), before);
  assert.equal(
    (await limit('bob', '0', '5', chief)).status,
    200,
    'accounts below are a domain admin’s to limit',
  );
  const [now] = rows(await api.call('listResourceLimits', { resourcetype: '0' }, bob));
  assert.equal(now!['max'], 5);
});
