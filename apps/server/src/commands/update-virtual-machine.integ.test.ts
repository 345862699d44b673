import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addTenant, type Params, rows, withTestApi } from '../http/testing/test-api.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** Two stopped instances, `web` and `db`, in one network. */
async function withInstances(t: TestContext) {
  const api = await withTestApi(t);
  const { database } = api;
  const zone = await database.selectFrom('data_center').select('id').executeTakeFirstOrThrow();
  const network = await database.selectFrom('networks').select('id').executeTakeFirstOrThrow();
  const user = await database.selectFrom('user').selectAll().executeTakeFirstOrThrow();
  const offering = await database.selectFrom('service_offering').select('id').executeTakeFirstOrThrow();
  const os = await database.selectFrom('guest_os').select('id').executeTakeFirstOrThrow();
  const template = await database
    .insertInto('vm_template')
    .values({
      uuid: randomUUID(),
      unique_name: 'tiny',
      name: 'tiny',
      display_text: 'tiny',
      url: 'https://images.example/tiny.qcow2',
      format: 'QCOW2',
      account_id: user.account_id,
      guest_os_id: os.id,
      direct_download: true,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  const ids: Record<string, string> = {};
  for (const [index, name] of ['web', 'db'].entries()) {
    const uuid = randomUUID();
    ids[name] = uuid;
    const vm = await database
      .insertInto('vm_instance')
      .values({
        uuid,
        name,
        display_name: name,
        instance_name: `i-2-${index}-VM`,
        state: 'Stopped',
        vm_template_id: template.id,
        guest_os_id: os.id,
        data_center_id: zone.id,
        account_id: user.account_id,
        user_id: user.id,
        service_offering_id: offering.id,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    await database
      .insertInto('nics')
      .values({
        uuid: randomUUID(),
        instance_id: vm.id,
        network_id: network.id,
        mac_address: `06:00:00:00:00:0${index}`,
        ip4_address: `10.9.8.${index + 2}`,
      })
      .execute();
  }
  const update = async (params: Params) => {
    const answer = await api.call('updateVirtualMachine', { id: ids['web']!, ...params });
    assert.equal(answer.status, 200, answer.text);
    return answer.content['virtualmachine'] as Record<string, unknown>;
  };
  return { ...api, id: ids['web']!, update };
}

test('names, availability and details are changed, and the rest stays', async (t) => {
  const api = await withInstances(t);
  const renamed = await api.update({ name: 'front', displayname: 'Front door', group: 'any' });
  assert.equal(renamed['name'], 'front');
  assert.equal(renamed['displayname'], 'Front door');
  assert.equal((await api.update({ name: 'FRONT' }))['name'], 'FRONT', 'its own name is not taken');
  const available = await api.update({ haenable: 'true' });
  assert.equal(available['haenable'], true);
  assert.equal(available['displayname'], 'Front door');
  const found = await api.call('listVirtualMachines', { haenable: 'true', listall: 'true' });
  assert.deepEqual(
    rows(found).map((row) => row['name']),
    ['FRONT'],
  );
  assert.deepEqual((await api.update({ 'details[0].a': '1', 'details[0].b': '2' }))['details'], {
    a: '1',
    b: '2',
  });
  assert.deepEqual((await api.update({ 'details[0].c': '3' }))['details'], { c: '3' });
  assert.deepEqual((await api.update({ displayname: 'x' }))['details'], { c: '3' });
  assert.equal((await api.update({ cleanupdetails: 'true' }))['details'], undefined);
});

test('user data is changed, and kept when only its variables are', async (t) => {
  const api = await withInstances(t);
  await api.update({ userdata: base64('#!/bin/sh') });
  await api.update({ 'userdatadetails[0].tier': 'gold' });
  const row = await api.database
    .selectFrom('vm_instance')
    .select(['user_data', 'user_data_details'])
    .where('uuid', '=', api.id)
    .executeTakeFirstOrThrow();
  assert.equal(row.user_data, base64('#!/bin/sh'));
  assert.deepEqual(row.user_data_details, { tier: 'gold' });
});

test('what cannot be changed is refused by name and changes nothing', async (t) => {
  const api = await withInstances(t);
  const { id } = api;
  const ann = await addTenant(api.database, 'ann');
  const before = await snapshotOf(api.database);
  const cases = [
    [{ name: 'DB' }, /name: the network has an instance DB already/],
    [{ name: '-x' }, /name: must be a host name/],
    [{ displayname: 'a\nb' }, /displayname/],
    [{ userdata: '?' }, /userdata: must be Base64/],
    [{ 'details[0].extraconfig-1': '<x/>' }, /details: extraconfig is not supported/],
    [{ 'details[0].a b': '1' }, /details: a name has/],
    [{ 'details[0].a': 'x'.repeat(5121) }, /details: a must not be longer/],
    [{ extraconfig: '<x/>' }, /extraconfig/],
  ] as const;
  for (const [params, reason] of cases) {
    const answer = await api.call('updateVirtualMachine', { id, ...params });
    assert.equal(answer.status, 431);
    assert.match(String(answer.content['errortext']), reason);
  }
  assert.equal((await api.call('updateVirtualMachine', { id, displayname: 'mine' }, ann)).status, 431);
  assert.deepEqual(await snapshotOf(api.database), before);
  await api.database.updateTable('vm_instance').set({ state: 'Error' }).execute();
  const broken = await api.call('updateVirtualMachine', { id, displayname: 'x' });
  assert.match(String(broken.content['errortext']), /is Error and cannot be changed/);
});
