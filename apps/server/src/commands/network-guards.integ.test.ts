import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { sql } from 'kysely';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addTenant, type Params, rows } from '../http/testing/test-api.ts';
import { withUplink } from '../http/testing/uplink.ts';

test('a guest gets the address that is asked for, and nobody gets one twice', async (t) => {
  const { api, create, offerings, range, deploy } = await withUplink(t);
  const shared = await create({
    ...{ name: 'office', networkofferingid: offerings.shared, vlan: '300', ...range },
  });
  const l2 = await create({ name: 'l2', networkofferingid: offerings.l2 });
  const [office, plain] = [String(shared['id']), String(l2['id'])];
  const good = await deploy(`${office},${plain}`, undefined, { ipaddress: '10.5.0.11', name: 'a' });
  assert.equal(good.status, 200, good.text);
  const [vm] = rows(await api.call('listVirtualMachines', { id: String(good.content['id']) }));
  const cards = vm!['nic'] as Record<string, unknown>[];
  assert.deepEqual(
    cards.map(({ networkname, ipaddress }) => [networkname, ipaddress]),
    [
      ['office', '10.5.0.11'],
      ['l2', undefined],
    ],
  );
  const before = await snapshotOf(api.database);
  for (const [networks, ipaddress, rule] of [
    [office, '10.5.0.11', /ipaddress.*a guest of network office has 10\.5\.0\.11/],
    [office, '010.005.000.011', /ipaddress.*a guest of network office has 10\.5\.0\.11/],
    [office, '10.5.0.12', /ipaddress.*no address of network office/],
    [office, '10.5.0.1', /ipaddress.*no address of network office/],
    [office, 'ten', /ipaddress.*IPv4/],
    [plain, '10.5.0.10', /ipaddress.*find their addresses themselves/],
  ] as const)
    assert.match((await deploy(networks, undefined, { ipaddress })).text, rule, ipaddress);
  assert.deepEqual(await snapshotOf(api.database), before);
  const free = await deploy(office, undefined, { name: 'b' });
  assert.equal(free.status, 200, free.text);
});

test('no guest is ever given the gateway of another range', async (t) => {
  const { api, create, offerings, range } = await withUplink(t);
  const network = await create({
    ...{ name: 'n', networkofferingid: offerings.shared, vlan: '300' },
    ...range,
  });
  const more = (params: Params) =>
    api.call('createVlanIpRange', {
      ...{ networkid: String(network['id']), netmask: '255.255.255.0' },
      ...params,
    });
  const before = await snapshotOf(api.database);
  const over = await more({ gateway: '10.5.0.254', startip: '10.5.0.1', endip: '10.5.0.5' });
  assert.equal(over.status, 431);
  assert.match(over.text, /startip.*no guest may get 10\.5\.0\.1, the gateway/);
  const within = await more({ gateway: '10.5.0.11', startip: '10.5.0.20', endip: '10.5.0.21' });
  assert.match(within.text, /gateway.*among the addresses of guests, 10\.5\.0\.10 to 10\.5\.0\.11/);
  assert.deepEqual(await snapshotOf(api.database), before);
  const good = await more({ gateway: '10.5.0.1', startip: '10.5.0.20', endip: '10.5.0.21' });
  assert.equal(good.status, 200, good.text);
});

test('a zone, an account and a domain are not deleted while networks are left of them', async (t) => {
  const { api, create, offerings, range } = await withUplink(t);
  await addTenant(api.database, 'ada', { domainPath: '/acme/' });
  const { uuid: domainid } = await api.database
    .selectFrom('domain')
    .select('uuid')
    .where('path', '=', '/acme/')
    .executeTakeFirstOrThrow();
  const { uuid: adaId } = await api.database
    .selectFrom('account')
    .select('uuid')
    .where('account_name', '=', 'ada')
    .executeTakeFirstOrThrow();
  const l2 = { networkofferingid: offerings.l2, domainid };
  const hers = await create({ ...l2, name: 'hers', account: 'ada' });
  const theirs = await create({
    ...{ networkofferingid: offerings.shared, name: 'theirs', vlan: '300', domainid, ...range },
  });
  const account = await api.call('deleteAccount', { id: adaId });
  assert.match(account.text, /account ada still has network hers/);
  assert.equal((await api.call('deleteNetwork', { id: String(hers['id']) })).status, 200);
  const domain = await api.call('deleteDomain', { id: domainid, cleanup: 'true' });
  assert.match(domain.text, /domain acme still has network theirs/);
  assert.equal((await api.call('deleteNetwork', { id: String(theirs['id']) })).status, 200);
  assert.equal((await api.call('deleteDomain', { id: domainid, cleanup: 'true' })).status, 200);

  const zone = await api.call('createZone', {
    ...{ name: 'Bern', dns1: '9.9.9.9', internaldns1: '9.9.9.9', networktype: 'Advanced' },
  });
  assert.equal(zone.status, 200, zone.text);
  const zoneid = String((zone.content['zone'] as { id: unknown }).id);
  const physical = await api.call('createPhysicalNetwork', { name: 'fibre', zoneid });
  const refused = await api.call('deleteZone', { id: zoneid });
  assert.equal(refused.status, 536, refused.text);
  assert.match(refused.text, /zone Bern has the physical network fibre/);
  const gone = await api.call('deletePhysicalNetwork', { id: String(physical.content['id']) });
  assert.equal(gone.status, 200, gone.text);
  assert.equal((await api.call('deleteZone', { id: zoneid })).status, 200);
});

test('a physical network that is being deleted gets no network meanwhile', async (t) => {
  const { api, zoneid, physicalnetworkid, offerings } = await withUplink(t);
  const making = await api.database.transaction().execute(async (trx) => {
    await trx
      .updateTable('physical_network')
      .set({ removed: new Date() })
      .where('uuid', '=', physicalnetworkid)
      .execute();
    const call = api.call('createNetwork', { zoneid, networkofferingid: offerings.l2, name: 'late' });
    for (let waiting = false; !waiting; await setTimeout(20)) {
      const { rows: blocked } = await sql`select from pg_locks where not granted`.execute(api.database);
      waiting = blocked.length > 0;
    }
    return { call };
  });
  const answer = await making.call;
  assert.equal(answer.status, 431, answer.text);
  assert.match(answer.text, /physicalnetworkid.*has just been deleted/);
  assert.equal(rows(await api.call('listNetworks', { keyword: 'late' })).length, 0);
});

test('a zone that is disabled gets networks of administrators only', async (t) => {
  const { api, zoneid, create, offerings } = await withUplink(t);
  const ada = await addTenant(api.database, 'ada');
  await api.call('updateZone', { id: zoneid, allocationstate: 'Disabled' });
  const l2 = { zoneid, networkofferingid: offerings.l2, name: 'n' };
  assert.match((await api.call('createNetwork', l2, ada)).text, /zoneid.*is disabled/);
  assert.equal((await create({ ...l2, name: 'm' }))['zoneid'], zoneid);
});

test('who changed what of networks is told by events', async (t) => {
  const { api, physicalnetworkid, offerings, create, range } = await withUplink(t);
  const done = async (command: string, params: Params) => {
    const answer = await api.call(command, params);
    assert.equal(answer.status, 200, answer.text);
    return answer.content;
  };
  const network = await create({
    ...{ name: 'n', networkofferingid: offerings.shared, vlan: '300', ...range },
  });
  const more = await done('createVlanIpRange', {
    ...{ networkid: String(network['id']), gateway: '10.5.0.1', netmask: '255.255.255.0' },
    ...{ startip: '10.5.0.30', endip: '10.5.0.31' },
  });
  await done('deleteVlanIpRange', { id: String((more['vlan'] as { id: unknown }).id) });
  await done('deleteNetwork', { id: String(network['id']) });
  await done('updatePhysicalNetwork', { id: physicalnetworkid, vlan: '7' });
  await done('deletePhysicalNetwork', { id: physicalnetworkid });
  const made = await done('createNetworkOffering', {
    ...{ name: 'x', displaytext: 'x', guestiptype: 'L2', traffictype: 'Guest', zoneid: '' },
  });
  const id = String((made['networkoffering'] as { id: unknown }).id);
  await done('updateNetworkOffering', { id, state: 'Enabled' });
  await done('deleteNetworkOffering', { id });
  const events = await api.database
    .selectFrom('event')
    .innerJoin('account', 'account.id', 'event.account_id')
    .select(['event.type', 'event.description', 'account.account_name'])
    .where('event.type', 'like', sql<string>`any(array['%NETWORK%', 'TRAFFIC%', 'VLAN%'])`)
    .orderBy('event.id')
    .execute();
  assert.deepEqual(
    events.map(({ type, account_name }) => `${account_name} ${type}`),
    [
      'PHYSICAL.NETWORK.CREATE',
      'TRAFFIC.TYPE.CREATE',
      'NETWORK.CREATE',
      'VLAN.IP.RANGE.CREATE',
      'VLAN.IP.RANGE.DELETE',
      'NETWORK.DELETE',
      'PHYSICAL.NETWORK.UPDATE',
      'PHYSICAL.NETWORK.DELETE',
      'NETWORK.OFFERING.CREATE',
      'NETWORK.OFFERING.EDIT',
      'NETWORK.OFFERING.DELETE',
    ].map((type) => `admin ${type}`),
  );
  assert.match(String(events[0]?.description), /fabric in zone/);
});
