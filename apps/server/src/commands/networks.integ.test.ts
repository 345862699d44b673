import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addTenant, type Keys, rows, withTestApi } from '../http/testing/test-api.ts';
import { withUplink } from '../http/testing/uplink.ts';
import { loadVmSpec } from '../workflows/records.ts';

test('a physical network is told as it was made, with what it carries', async (t) => {
  const { api, zoneid, physicalnetworkid } = await withUplink(t);
  const [network] = rows(await api.call('listPhysicalNetworks', { zoneid }));
  assert.deepEqual(
    [network!['id'], network!['vlan'], network!['state'], network!['isolationmethods']],
    [physicalnetworkid, '100-101', 'Enabled', 'VLAN'],
  );
  const [traffic] = rows(await api.call('listTrafficTypes', { physicalnetworkid }));
  assert.deepEqual([traffic!['name'], traffic!['kvmnetworklabel']], ['Guest', 'cloudbr0']);
  const providers = rows(await api.call('listNetworkServiceProviders', { physicalnetworkid }));
  assert.deepEqual(
    providers.map(({ name, state }) => [name, state]),
    [['ConfigDrive', 'Enabled']],
  );
  const [{ id: providerId } = {}] = providers;
  const enable = { id: String(providerId), servicelist: 'Dhcp' };
  const enabled = await api.call('updateNetworkServiceProvider', { ...enable, state: 'Enabled' });
  assert.equal(enabled.status, 200, enabled.text);
  const off = await api.call('updateNetworkServiceProvider', { ...enable, state: 'Shutdown' });
  assert.match(off.text, /cannot be switched off/);
  assert.equal((await api.call('updateNetworkServiceProvider', { id: zoneid })).status, 431);
  assert.equal(rows(await api.call('listSupportedNetworkServices', { service: 'dhcp' })).length, 1);
  const changed = await api.call('updatePhysicalNetwork', {
    id: physicalnetworkid,
    vlan: '200',
    state: 'Disabled',
  });
  assert.equal(changed.status, 200, changed.text);
  assert.equal(rows(await api.call('listPhysicalNetworks', { id: physicalnetworkid }))[0]!['vlan'], '200');
});

test('guests of a shared network get its addresses and are told of them by their drive', async (t) => {
  const { api, create, offerings, range, deploy } = await withUplink(t);
  const network = await create({
    ...{ name: 'office', networkofferingid: offerings.shared, vlan: 'vlan://300', ...range, dns1: '9.9.9.9' },
  });
  assert.deepEqual(
    [
      network['type'],
      network['vlan'],
      network['cidr'],
      network['gateway'],
      network['acltype'],
      network['dns1'],
    ],
    ['Shared', '300', '10.5.0.0/24', '10.5.0.1', 'Domain', '9.9.9.9'],
  );
  const first = await deploy(String(network['id']));
  assert.equal(first.status, 200, first.text);
  const [vm] = rows(await api.call('listVirtualMachines', { id: String(first.content['id']) }));
  const [nic] = vm!['nic'] as Record<string, unknown>[];
  assert.deepEqual(
    [nic!['ipaddress'], nic!['gateway'], nic!['netmask'], nic!['type']],
    ['10.5.0.10', '10.5.0.1', '255.255.255.0', 'Shared'],
  );
  const row = await api.database.selectFrom('vm_instance').selectAll().executeTakeFirstOrThrow();
  const service = await api.database
    .selectFrom('service_offering')
    .selectAll()
    .where('id', '=', row.service_offering_id)
    .executeTakeFirstOrThrow();
  const template = await api.database.selectFrom('vm_template').selectAll().executeTakeFirstOrThrow();
  const spec = await loadVmSpec(
    api.database,
    { vm: row, offering: service, template, iso: undefined },
    { uuid: randomUUID(), type: 'Filesystem', path: '/p' },
    { uuid: randomUUID(), path: 'x.qcow2' },
  );
  assert.deepEqual(
    spec.nics.map(({ ip, subnet, network: told }) => ({ ip, subnet, told: { ...told, uuid: '', name: '' } })),
    [
      {
        ip: '10.5.0.10',
        subnet: { netmask: '255.255.255.0', gateway: '10.5.0.1', dns: ['9.9.9.9'] },
        told: { uuid: '', name: '', kind: 'bridge', bridge: 'mlv1-300', uplink: 'cloudbr0', vlan: 300 },
      },
    ],
  );
  assert.ok(spec.configDrive, 'nobody else tells the guest its address');
  assert.equal((await deploy(String(network['id']))).status, 200);
  const full = await deploy(String(network['id']));
  assert.equal(full.status, 533);
  assert.match(full.text, /no free address/);
  const more = await api.call('createVlanIpRange', {
    ...{ networkid: String(network['id']), ...range, startip: '10.5.0.50', endip: '10.5.0.60' },
  });
  assert.equal(more.status, 200, more.text);
  assert.equal((await deploy(String(network['id']))).status, 200);
  const ranges = rows(await api.call('listVlanIpRanges', { networkid: String(network['id']) }));
  assert.deepEqual(
    ranges.map(({ startip }) => startip),
    ['10.5.0.10', '10.5.0.50'],
  );
  const used = await api.call('deleteVlanIpRange', { id: String(ranges[0]!['id']) });
  assert.equal(used.status, 536, used.text);
  assert.match((await api.call('deleteNetwork', { id: String(network['id']) })).text, /cards of 3 instance/);
});

test('an L2 network gets a VLAN of its own; guests have no address there', async (t) => {
  const { api, create, offerings, deploy, zoneid } = await withUplink(t);
  const ada = await addTenant(api.database, 'ada');
  const first = await create({ name: 'mine', networkofferingid: offerings.l2 }, ada);
  assert.deepEqual([first['type'], first['account'], first['acltype']], ['L2', 'ada', 'Account']);
  assert.equal(first['vlan'], undefined, 'VLANs are for administrators to see');
  const second = await create({ name: 'other', networkofferingid: offerings.l2 });
  assert.equal(second['vlan'], '101');
  const none = await api.call('createNetwork', { name: 'x', zoneid, networkofferingid: offerings.l2 });
  assert.equal(none.status, 533);
  assert.match(none.text, /no free VLAN in 100-101/);
  const both = `${api.ids.networkId},${first['id']}`;
  const answer = await deploy(both, ada);
  assert.equal(answer.status, 200, answer.text);
  const [vm] = rows(await api.call('listVirtualMachines', {}, ada));
  const nics = vm!['nic'] as Record<string, unknown>[];
  assert.deepEqual(
    nics.map((nic) => [nic['networkname'], nic['ipaddress'] === undefined]),
    [
      ['Default', false],
      ['mine', true],
    ],
  );
  await api.database.updateTable('nics').set({ removed: new Date() }).execute();
  const gone = await api.call('deleteNetwork', { id: String(first['id']) }, ada);
  assert.equal(gone.status, 200, gone.text);
  assert.equal((await create({ name: 'again', networkofferingid: offerings.l2 }))['vlan'], '100');
});

test('a network is used by those that it is for, and by nobody else', async (t) => {
  const { api, create, offerings, range, deploy } = await withUplink(t, { vlan: '100-110' });
  const ada = await addTenant(api.database, 'ada', { domainPath: '/acme/' });
  const bob = await addTenant(api.database, 'bob', { domainPath: '/acme/' });
  const deep = await addTenant(api.database, 'deep', { domainPath: '/acme/lab/' });
  const eve = await addTenant(api.database, 'eve', { domainPath: '/rival/' });
  const acme = await api.database
    .selectFrom('domain')
    .select('uuid')
    .where('path', '=', '/acme/')
    .executeTakeFirstOrThrow();
  const shared = { networkofferingid: offerings.shared, ...range };
  const mine = await create({ name: 'ada’s', networkofferingid: offerings.l2 }, ada);
  const ours = await create({ ...shared, name: 'acme', vlan: '300', domainid: acme.uuid });
  const flat = await create({
    ...{ ...shared, name: 'flat', vlan: '301', domainid: acme.uuid, subdomainaccess: 'false' },
  });
  const bobs = await create({ ...shared, name: 'bob', vlan: '302', domainid: acme.uuid, account: 'bob' });
  const all = await create({ ...shared, name: 'all', vlan: '303' });
  const names = async (keys: Keys) =>
    rows(await api.call('listNetworks', {}, keys))
      .map(({ name }) => name)
      .sort();
  assert.deepEqual(await names(ada), ['Default', 'acme', 'ada’s', 'all', 'flat']);
  assert.deepEqual(await names(bob), ['Default', 'acme', 'all', 'bob', 'flat']);
  assert.deepEqual(await names(deep), ['Default', 'acme', 'all']);
  assert.deepEqual(await names(eve), ['Default', 'all']);
  for (const [keys, network, expected] of [
    [ada, mine, 200],
    [bob, mine, 431],
    [eve, ours, 431],
    [deep, ours, 200],
    [deep, flat, 431],
    [ada, bobs, 431],
    [eve, all, 200],
  ] as const)
    assert.equal((await deploy(String(network['id']), keys)).status, expected, String(network['name']));
  assert.equal((await api.call('updateNetwork', { id: String(ours['id']), name: 'x' }, ada)).status, 431);
  assert.equal((await api.call('deleteNetwork', { id: String(mine['id']) }, bob)).status, 431);
  assert.equal((await api.call('updateNetwork', { id: String(mine['id']), name: 'home' }, ada)).status, 200);
  assert.deepEqual(await names(ada), ['Default', 'acme', 'all', 'flat', 'home']);
});

test('offerings of networks are made, enabled, renamed and deleted', async (t) => {
  const { api, create, range, made, zoneid } = await withUplink(t);
  const offering = await made(
    'createNetworkOffering',
    {
      name: 'Rack',
      displaytext: 'Rack',
      guestiptype: 'shared',
      traffictype: 'GUEST',
      supportedservices: 'Dhcp,Dns',
    },
    'networkoffering',
  );
  assert.deepEqual(
    [offering['guestiptype'], offering['specifyvlan'], offering['specifyipranges'], offering['state']],
    ['Shared', true, true, 'Disabled'],
  );
  const id = String(offering['id']);
  const early = await api.call('createNetwork', {
    name: 'n',
    zoneid,
    networkofferingid: id,
    vlan: '5',
    ...range,
  });
  assert.match(early.text, /Rack is disabled/);
  await made('updateNetworkOffering', { id, state: 'enabled', name: 'Rack 2' }, 'networkoffering');
  const network = await create({ name: 'n', networkofferingid: id, vlan: '5', ...range });
  assert.equal(network['networkofferingname'], 'Rack 2');
  assert.equal((await api.call('deleteNetworkOffering', { id })).status, 200);
  assert.equal(rows(await api.call('listNetworks', { id: String(network['id']) })).length, 1);
  const [nat] = rows(await api.call('listNetworkOfferings', { name: 'HostNat' }));
  assert.match(
    (await api.call('deleteNetworkOffering', { id: String(nat!['id']) })).text,
    /came with the cloud/,
  );
  assert.equal(rows(await api.call('listNetworkOfferings', { guestiptype: 'L2' })).length, 2);
  assert.deepEqual(rows(await api.call('listNetworkOfferings', { supportedservices: 'Lb' })), []);
});

test('what breaks a rule is refused by the name of its parameter, and nothing changes', async (t) => {
  const { api, zoneid, physicalnetworkid, offerings, create, range } = await withUplink(t);
  await create({ name: 'taken', networkofferingid: offerings.shared, vlan: '300', ...range });
  const ada = await addTenant(api.database, 'ada');
  const [nat] = rows(await api.call('listNetworkOfferings', { name: 'HostNat' }));
  const before = await snapshotOf(api.database);
  const shared = { name: 'n', zoneid, networkofferingid: offerings.shared, vlan: '301', ...range };
  for (const [command, params, rule, keys] of [
    ['createNetwork', { ...shared, vlan: '300' }, /vlan.*has a network already/],
    ['createNetwork', { ...shared, vlan: '4095' }, /vlan/],
    ['createNetwork', { ...shared, vlan: '' }, /vlan/],
    ['createNetwork', { ...shared, startip: '' }, /gateway/],
    ['createNetwork', { ...shared, endip: '10.6.0.1' }, /endip/],
    ['createNetwork', { ...shared, zoneid: randomUUID() }, /zoneid/],
    ['createNetwork', { ...shared, networkofferingid: randomUUID() }, /networkofferingid/],
    ['createNetwork', { ...shared, networkofferingid: String(nat!['id']) }, /networkofferingid/],
    ['createNetwork', { ...shared, physicalnetworkid: randomUUID() }, /physicalnetworkid/],
    ['createNetwork', { ...shared, dns1: 'nine' }, /dns1/],
    ['createNetwork', { ...shared, acltype: 'Everybody' }, /acltype/],
    [
      'createNetwork',
      { ...shared, vlan: '', networkofferingid: offerings.shared },
      /networkofferingid|vlan/,
      ada,
    ],
    ['createNetwork', { name: 'n', zoneid, networkofferingid: offerings.l2, vlan: '100' }, /vlan/],
    ['createNetwork', { name: 'n', zoneid, networkofferingid: offerings.l2, ...range }, /gateway/],
    [
      'createNetwork',
      { name: 'n', zoneid, networkofferingid: offerings.l2, acltype: 'Domain' },
      /acltype/,
      ada,
    ],
    ['createNetwork', { ...shared, vpcid: randomUUID() }, /vpcid/],
    [
      'createNetworkOffering',
      { name: 'x', displaytext: 'x', guestiptype: 'Isolated', traffictype: 'Guest' },
      /guestiptype/,
    ],
    [
      'createNetworkOffering',
      { name: 'x', displaytext: 'x', guestiptype: 'L2', traffictype: 'Guest', supportedservices: 'Lb' },
      /supportedservices/,
    ],
    ['createPhysicalNetwork', { name: 'p', zoneid, vlan: '5-3' }, /vlan/],
    [
      'addTrafficType',
      { physicalnetworkid, traffictype: 'Guest', kvmnetworklabel: 'br' },
      /traffictype.*already/,
    ],
    [
      'addTrafficType',
      { physicalnetworkid, traffictype: 'Storage', kvmnetworklabel: 'a b' },
      /kvmnetworklabel/,
    ],
    ['deletePhysicalNetwork', { id: physicalnetworkid }, /network taken/],
  ] as const) {
    const answer = await api.call(command, params, keys);
    assert.notEqual(answer.status, 200, `${command} ${JSON.stringify(params)}`);
    assert.match(String(answer.content['errortext']), rule, JSON.stringify(params));
  }
  assert.deepEqual(await snapshotOf(api.database), before);
});

test('a zone without a physical network says what an administrator has to do', async (t) => {
  const api = await withTestApi(t);
  const [offering] = rows(await api.call('listNetworkOfferings', { name: 'DefaultL2NetworkOffering' }));
  const answer = await api.call('createNetwork', {
    ...{ name: 'n', zoneid: api.ids.zoneId, networkofferingid: String(offering!['id']) },
  });
  assert.match(answer.text, /createPhysicalNetwork and addTrafficType/);
});

test('cards are made as they are asked for: networks with addresses and MAC addresses', async (t) => {
  const { api, create, offerings, range, deploy } = await withUplink(t);
  const office = await create({ name: 'office', networkofferingid: offerings.shared, vlan: '300', ...range });
  const l2 = await create({ name: 'l2', networkofferingid: offerings.l2 });
  const ids = { office: String(office['id']), l2: String(l2['id']) };
  const listed = (entries: Record<string, string>[]) =>
    Object.fromEntries(
      entries.flatMap((entry, index) =>
        Object.entries(entry).map(([key, value]) => [`iptonetworklist[${index}].${key}`, value]),
      ),
    );
  const cardsOf = async (answer: Awaited<ReturnType<typeof deploy>>) => {
    assert.equal(answer.status, 200, answer.text);
    const [vm] = rows(await api.call('listVirtualMachines', { id: String(answer.content['id']) }));
    return (vm!['nic'] as Record<string, unknown>[]).map((nic) => [
      nic['networkname'],
      nic['ipaddress'],
      nic['macaddress'],
      nic['isdefault'],
    ]);
  };
  const mac = '06:00:00:00:AA:01';
  const made = await deploy(
    '',
    undefined,
    listed([
      { networkId: ids.l2, mac },
      { networkid: ids.office, ip: '10.5.0.11', mac: '' },
    ]),
  );
  const [first, second] = await cardsOf(made);
  assert.deepEqual(first, ['l2', undefined, mac.toLowerCase(), true]);
  assert.deepEqual([second![0], second![1], second![3]], ['office', '10.5.0.11', false]);
  assert.match(String(second![2]), /^06:/);

  const before = await snapshotOf(api.database);
  for (const [networkids, more, text] of [
    ['', listed([{ networkid: ids.office, mac }]), /iptonetworklist: another instance has the card/],
    [ids.office, { macaddress: mac }, /macaddress: another instance/],
    [ids.office, { macaddress: '01:00:5e:00:00:01' }, /macaddress: must be the MAC address of one card/],
    ['', listed([{ networkid: ids.l2, ip: '10.5.0.12' }]), /iptonetworklist: guests of network l2/],
    ['', listed([{ networkid: ids.office, ip: '10.5.0.11' }]), /iptonetworklist: a guest of network office/],
    ['', listed([{ networkid: ids.office, ip: '10.9' }]), /iptonetworklist: must be an IPv4 address/],
    ['', listed([{ networkid: ids.office, ipv6: 'fd00::1' }]), /ipv6 is not supported/],
    ['', listed([{ ip: '10.5.0.10' }]), /every entry needs networkid/],
    ['', listed([{ networkid: ids.office }, { networkid: ids.office }]), /names a network twice/],
    ['', listed([{ networkid: randomUUID() }]), /iptonetworklist value=.*does not exist/],
    [ids.office, listed([{ networkid: ids.l2 }]), /does not go with networkids/],
    ['', { ...listed([{ networkid: ids.l2 }]), macaddress: mac }, /does not go with macaddress/],
  ] as const) {
    const refused = await deploy(networkids, undefined, more);
    assert.equal(refused.status, 431, refused.text);
    assert.match(refused.text, text);
  }
  assert.deepEqual(await snapshotOf(api.database), before);

  await api.database.updateTable('nics').set({ removed: new Date() }).execute();
  const again = await cardsOf(
    await deploy(ids.office, undefined, { macaddress: mac, ipaddress: '10.5.0.11' }),
  );
  assert.deepEqual(again, [['office', '10.5.0.11', mac.toLowerCase(), true]], 'both are free again');
});
