import assert from 'node:assert/strict';
import { usableProbe } from './fake-ports.ts';
import { addHost, type Keys, type Params, rows, withTestApi } from './test-api.ts';

/** A zone with a physical network, as an operator makes it. */
export async function withUplink(t: Parameters<typeof withTestApi>[0], vlan: Params = { vlan: '100-101' }) {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  const made = async (command: string, params: Params, key: string, keys?: Keys) => {
    const answer = await api.call(command, params, keys);
    assert.equal(answer.status, 200, answer.text);
    return answer.content[key] as Record<string, unknown>;
  };
  const zoneid = api.ids.zoneId;
  const physical = await api.call('createPhysicalNetwork', { name: 'fabric', zoneid, ...vlan });
  assert.equal(physical.status, 200, physical.text);
  const physicalnetworkid = String(physical.content['id']);
  const traffic = await api.call('addTrafficType', {
    ...{ physicalnetworkid, traffictype: 'guest', kvmnetworklabel: 'cloudbr0' },
  });
  assert.equal(traffic.status, 200, traffic.text);
  const offering = async (name: string) =>
    String(rows(await api.call('listNetworkOfferings', { name }))[0]!['id']);
  const offerings = {
    shared: await offering('DefaultSharedNetworkOffering'),
    l2: await offering('DefaultL2NetworkOffering'),
    l2vlan: await offering('DefaultL2NetworkOfferingVlan'),
  };
  const create = (params: Params, keys?: Keys) =>
    made('createNetwork', { zoneid, ...params }, 'network', keys);
  const range = { gateway: '10.5.0.1', netmask: '255.255.255.0', startip: '10.5.0.10', endip: '10.5.0.11' };
  api.agents.answers['image.probe'] = () => usableProbe();
  const template = rows(
    await api.call('registerTemplate', {
      ...{ name: 't', displaytext: 't', url: 'https://images.example/t', format: 'QCOW2', zoneid },
      ...{ hypervisor: 'KVM', directdownload: 'true', ispublic: 'true' },
    }),
  )[0]!;
  const [service] = rows(await api.call('listServiceOfferings'));
  const deploy = (networkids: string, keys?: Keys, more: Params = {}) =>
    api.call(
      'deployVirtualMachine',
      {
        ...{ zoneid, templateid: String(template['id']), serviceofferingid: String(service!['id']) },
        ...{ networkids, startvm: 'false', ...more },
      },
      keys,
    );
  return { api, zoneid, physicalnetworkid, offerings, create, range, deploy, made };
}
