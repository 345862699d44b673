import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allSpecs, type CommandSpec, fieldProblems } from '@millrace/api';
import { entityOfKey, goProblems } from '../../../../test/contracts/go/go-types.ts';
import { createAuthority } from '../agents/certificate-signer.ts';
import { tellOfFullPoolsOf } from '../workflows/housekeeping.ts';
import { usableProbe } from './testing/fake-ports.ts';
import { type RunningApi, withRunningApi } from './testing/running-api.ts';
import { type Answer, addHost, addTenant, type Keys, type Params, rows } from './testing/test-api.ts';

/**
 * Every command of the registry, called so that it succeeds, in a cloud with something of everything: what lists, creations
 * and jobs answer is held against the table of its fields and against what CloudStack's Go SDK decodes into. A command
 * that is not called here fails the test.
 */

type Entity = Record<string, unknown>;

/** Of what there is nothing: CloudStack's clients ask, and get an empty list. */
const alwaysEmpty: ReadonlySet<string> = new Set([
  'listProjects',
  'listIpForwardingRules',
  'listPortForwardingRules',
  'listPublicIpAddresses',
  'listSecurityGroups',
]);
/** Other tests have sessions. */
const elsewhere: ReadonlySet<string> = new Set(['login', 'logout']);

class Tour {
  readonly answered = new Set<string>();
  readonly #api: RunningApi;
  constructor(api: RunningApi) {
    this.#api = api;
  }

  /** Calls a command, waits for its job, and holds what comes against both tables. @returns the first entity */
  async ask(command: string, params: Params = {}, keys: Keys = this.#api.admin): Promise<Entity> {
    const spec = allSpecs.find(({ name }) => name === command)!;
    const answer = await this.#api.call(command, params, keys);
    assert.equal(answer.status, 200, `${command}: ${answer.text}`);
    assert.equal(answer.key, `${command.toLowerCase()}response`);
    this.answered.add(command);
    if (!spec.isAsync) return this.#hold(spec, answer.content);
    const { jobid, ...others } = answer.content;
    assert.ok(Object.keys(others).every((name) => name === 'id') && typeof jobid === 'string', answer.text);
    const job = await this.#api.jobEnd(jobid, keys);
    assert.equal(job.content['jobstatus'], 1, `${command}: ${job.text}`);
    assert.deepEqual(
      [job.content['jobresultcode'], job.content['jobresulttype'], job.content['cmd'] !== undefined],
      [0, 'object', true],
    );
    return this.#hold(spec, job.content['jobresult'] as Entity);
  }

  /** A job that must fail, with an answer as clients take it apart. */
  async fail(command: string, params: Params): Promise<Entity> {
    const answer = await this.#api.call(command, params);
    assert.equal(answer.status, 200, answer.text);
    const job = await this.#api.jobEnd(String(answer.content['jobid']));
    const result = job.content['jobresult'] as Entity;
    assert.equal(job.content['jobstatus'], 2, job.text);
    assert.ok(Number.isInteger(result['errorcode']) && typeof result['errortext'] === 'string', job.text);
    assert.equal(job.content['jobresultcode'], result['errorcode']);
    return job.content;
  }

  #hold(spec: CommandSpec, content: Entity): Entity {
    const entities = this.#entitiesOf(spec, content);
    const key = 'key' in spec.result ? spec.result.key : '';
    const go = entityOfKey[key];
    for (const entity of entities) {
      assert.deepEqual(fieldProblems(spec.response, entity), [], spec.name);
      if (go !== undefined) assert.deepEqual(goProblems(go, entity, spec.name), []);
    }
    return entities[0] ?? {};
  }

  #entitiesOf(spec: CommandSpec, content: Entity): Entity[] {
    switch (spec.result.kind) {
      case 'success':
        assert.equal(content['success'], true, spec.name);
        return [content];
      case 'flat':
        return [content];
      case 'object':
        assert.deepEqual(Object.keys(content), [spec.result.key], spec.name);
        return [content[spec.result.key] as Entity];
      case 'list': {
        const list = rows({ content } as unknown as Answer);
        if (alwaysEmpty.has(spec.name)) assert.deepEqual(content, {}, spec.name);
        else assert.ok(list.length > 0, `${spec.name} lists nothing here: what it lists is not held`);
        if (list.length > 0) {
          assert.deepEqual(Object.keys(content), ['count', spec.result.key], spec.name);
          assert.ok(Number(content['count']) >= list.length, spec.name);
        }
        return list;
      }
    }
  }
}

interface World {
  readonly api: RunningApi;
  readonly tour: Tour;
  readonly ask: Tour['ask'];
  readonly zoneid: string;
  readonly hosts: readonly { readonly hostId: number; readonly hostUuid: string }[];
}
const idOf = (entity: Entity) => String(entity['id']);
const person = { firstname: 'A', lastname: 'B', email: 'a@b.example', password: 'correct horse' };

function tag({ ask }: World, resourcetype: string, resourceids: string): Promise<Entity> {
  return ask('createTags', { resourceids, resourcetype, 'tags[0].key': 'env', 'tags[0].value': 'test' });
}

async function places({ ask, zoneid, api, hosts }: World): Promise<void> {
  const names = { dns1: '192.0.2.1', internaldns1: '192.0.2.1', networktype: 'Advanced' };
  const north = idOf(await ask('createZone', { name: 'north', ...names }));
  await ask('updateZone', { id: north, location: 'no', sortkey: '1' });
  const pod = idOf(await ask('createPod', { name: 'pod1', zoneid: north }));
  await ask('updatePod', { id: pod, name: 'pod2' });
  const kind = { clustertype: 'CloudManaged', hypervisor: 'KVM' };
  const cluster = await ask('addCluster', { clustername: 'c', ...kind, podid: pod, zoneid: north });
  await ask('updateCluster', { id: idOf(cluster), clustername: 'd' });
  const added = await ask('addHost', { zoneid: north, podid: pod, hypervisor: 'KVM', url: 'kvm-9' });
  const [first, second] = hosts.map(({ hostUuid }) => hostUuid);
  await ask('updateHost', { id: first!, hosttags: 'gold,ssd' });
  for (const list of ['listZones', 'listPods', 'listClusters']) await ask(list, { showcapacities: 'true' });
  await ask('listHosts');
  await ask('listHostTags');
  await ask('listCapacity', { zoneid });
  await ask('prepareHostForMaintenance', { id: second! });
  await ask('cancelHostMaintenance', { id: second! });
  await ask('reconnectHost', { id: second! });
  await api.database.updateTable('host').set({ status: 'Alert' }).where('uuid', '=', second!).execute();
  await ask('declareHostAsDegraded', { id: second! });
  await ask('cancelHostAsDegraded', { id: second! });
  await api.database.updateTable('host').set({ status: 'Up' }).where('uuid', '=', second!).execute();
  await ask('deleteHost', { id: idOf(added), forced: 'true' });
  await ask('deleteCluster', { id: idOf(cluster) });
  await ask('deletePod', { id: pod });
  await ask('deleteZone', { id: north });
}

/** An instance on a pool that both hosts reach, moved from one to the other. */
async function pools({ ask, zoneid, api }: World, template: string): Promise<void> {
  const nas = { name: 'nas', scope: 'zone', zoneid, url: 'nfs://192.0.2.5/p', tags: 'ssd' };
  const id = idOf(await ask('createStoragePool', nas));
  await ask('updateStoragePool', { id, tags: 'ssd,fast' });
  await ask('listStoragePools');
  await ask('listStorageTags');
  const sizes = { cpunumber: '1', cpuspeed: '500', memory: '128', tags: 'fast' };
  const service = idOf(await ask('createServiceOffering', { name: 'm', displaytext: 'm', ...sizes }));
  const vm = await ask('deployVirtualMachine', { zoneid, templateid: template, serviceofferingid: service });
  const moved = await ask('migrateVirtualMachine', { virtualmachineid: idOf(vm) });
  assert.notEqual(moved['hostid'], vm['hostid']);
  await ask('destroyVirtualMachine', { id: idOf(vm), expunge: 'true' });
  await ask('enableStorageMaintenance', { id });
  await ask('cancelStorageMaintenance', { id });
  await api.database.deleteFrom('template_spool_ref').execute();
  await ask('deleteStoragePool', { id, forced: 'true' });
}

async function people({ ask, api }: World): Promise<void> {
  const domain = idOf(await ask('createDomain', { name: 'acme' }));
  await ask('updateDomain', { id: domain, networkdomain: 'acme.example' });
  const account = await ask('createAccount', {
    ...person,
    username: 'ann',
    accounttype: '0',
    domainid: domain,
  });
  const named = { account: 'ann', domainid: domain };
  await ask('updateAccount', { id: idOf(account), newname: 'ann' });
  const user = idOf(await ask('createUser', { ...person, ...named, username: 'ben' }));
  await ask('updateUser', { id: user, timezone: 'UTC' });
  const keys = await ask('registerUserKeys', { id: user });
  await ask('getUserKeys', { id: user });
  await ask('getUser', { userapikey: String(keys['apikey']) });
  await ask('lockUser', { id: user });
  await ask('enableUser', { id: user });
  await ask('disableUser', { id: user });
  await ask('lockAccount', named);
  await ask('enableAccount', { id: idOf(account) });
  await ask('updateResourceLimit', { ...named, resourcetype: '0', max: '7' });
  await ask('listResourceLimits', named);
  await ask('updateResourceCount', named);
  const role = idOf(await ask('createRole', { name: 'Viewer', type: 'User', description: 'looks' }));
  await ask('updateRole', { id: role, description: 'looks on' });
  const rule = await ask('createRolePermission', { roleid: role, rule: 'list*', permission: 'allow' });
  await ask('listRolePermissions', { roleid: role });
  await ask('updateRolePermission', { roleid: role, ruleid: idOf(rule), permission: 'deny' });
  for (const list of ['listDomains', 'listDomainChildren', 'listAccounts', 'listUsers', 'listRoles'])
    await ask(list, { listall: 'true' });
  await ask('deleteRolePermission', { id: idOf(rule) });
  await ask('deleteRole', { id: role });
  await ask('deleteUser', { id: user });
  await ask('disableAccount', { id: idOf(account), lock: 'false' });
  await ask('deleteAccount', { id: idOf(account) });
  await ask('deleteDomain', { id: domain });
  await addTenant(api.database, 'dora');
}

async function networks(world: World): Promise<string> {
  const { ask, zoneid, api } = world;
  const fabric = idOf(await ask('createPhysicalNetwork', { name: 'fabric', zoneid, vlan: '100-110' }));
  await ask('updatePhysicalNetwork', { id: fabric, vlan: '100-120' });
  await ask('addTrafficType', { physicalnetworkid: fabric, traffictype: 'Guest', kvmnetworklabel: 'br0' });
  await ask('listPhysicalNetworks');
  await ask('listTrafficTypes', { physicalnetworkid: fabric });
  const provider = await ask('listNetworkServiceProviders', { physicalnetworkid: fabric });
  await ask('updateNetworkServiceProvider', { id: idOf(provider), state: 'Enabled' });
  await ask('listSupportedNetworkServices');
  const kind = { guestiptype: 'L2', traffictype: 'Guest' };
  const offering = idOf(await ask('createNetworkOffering', { name: 'flat', displaytext: 'flat', ...kind }));
  await ask('updateNetworkOffering', { id: offering, state: 'Enabled' });
  await ask('listNetworkOfferings');
  const shared = idOf(
    rows(await api.call('listNetworkOfferings', { name: 'DefaultSharedNetworkOffering' }))[0]!,
  );
  const range = { gateway: '10.5.0.1', netmask: '255.255.255.0', startip: '10.5.0.10', endip: '10.5.0.90' };
  const made = { zoneid, displaytext: 'n', vlan: '300' };
  const office = idOf(
    await ask('createNetwork', { name: 'office', networkofferingid: shared, ...made, ...range }),
  );
  const more = { networkid: office, ...range, startip: '10.5.0.100', endip: '10.5.0.110' };
  const vlan = await ask('createVlanIpRange', more);
  await ask('listVlanIpRanges');
  await ask('deleteVlanIpRange', { id: idOf(vlan) });
  await ask('updateNetwork', { id: office, displaytext: 'the office' });
  const spare = idOf(await ask('createNetwork', { name: 'spare', networkofferingid: offering, zoneid }));
  await tag(world, 'Network', spare);
  await ask('listNetworks');
  await ask('deleteNetwork', { id: spare });
  await ask('deleteNetworkOffering', { id: offering });
  const other = idOf(await ask('createPhysicalNetwork', { name: 'other', zoneid }));
  await ask('deletePhysicalNetwork', { id: other });
  return office;
}

const image = { displaytext: 'x', url: 'https://images.example/x.qcow2' };

async function images(world: World): Promise<{ readonly template: string; readonly iso: string }> {
  const { ask, zoneid, hosts, api } = world;
  await ask('probeTemplate', { url: image.url });
  const format = { format: 'QCOW2', hypervisor: 'KVM', directdownload: 'true', passwordenabled: 'true' };
  const register = (name: string) =>
    ask('registerTemplate', { name, ...image, ...format, zoneid, ispublic: 'true' });
  const template = idOf(await register('tiny'));
  const spare = idOf(await register('spare'));
  await ask('updateTemplate', { id: template, displaytext: 'tiny', 'details[0].purpose': 'test' });
  await ask('updateTemplatePermissions', { id: template, op: 'add', accounts: 'dora' });
  await ask('listTemplatePermissions', { id: template });
  await ask('copyTemplate', { id: template, destzoneid: zoneid });
  const prepared = await ask('prepareTemplate', { templateid: spare, zoneid });
  const [job] = rows(await api.call('listAsyncJobs', { keyword: 'prepareTemplate' }));
  assert.ok(prepared['id'] && job);
  await api.jobEnd(String(job['jobid']));
  const pool = rows(await api.call('listStoragePools', {}))[0]!;
  // what the hosts in memory find is not what they fetched
  await api.database.updateTable('template_spool_ref').set({ file_digest: null }).execute();
  await ask('verifyTemplate', { templateid: spare, storageid: idOf(pool) });
  await ask('evictTemplate', { templateid: spare, storageid: idOf(pool) });
  await tag(world, 'Template', template);
  await ask('listTemplates', { templatefilter: 'all' });
  await ask('deleteTemplate', { id: spare });
  api.agents.answers['image.probe'] = () => ({
    ...{ usable: true, metalink: false, warnings: [], format: 'iso', compression: 'none' },
    ...{
      virtualSizeBytes: 1000,
      transferBytes: 1000,
      sources: [{ url: image.url, usable: true, sizeBytes: 1000 }],
    },
  });
  const iso = idOf(await ask('registerIso', { name: 'disc', ...image, zoneid }));
  const old = idOf(await ask('registerIso', { name: 'old', ...image, zoneid }));
  await ask('updateIso', { id: iso, displaytext: 'disc' });
  await ask('updateIsoPermissions', { id: iso, op: 'add', accounts: 'dora' });
  await ask('listIsoPermissions', { id: iso });
  await ask('listIsos');
  await ask('deleteIso', { id: old });
  const { certificate } = await createAuthority('Images of ours');
  const ours = { name: 'ours', hypervisor: 'KVM', zoneid };
  const uploaded = await ask('uploadTemplateDirectDownloadCertificate', { ...ours, certificate });
  await ask('listTemplateDirectDownloadCertificates', { listhosts: 'true' });
  const onHost = { id: idOf(uploaded), hostid: hosts[0]!.hostUuid };
  await ask('provisionTemplateDirectDownloadCertificate', onHost);
  await ask('revokeTemplateDirectDownloadCertificate', ours);
  return { template, iso };
}

/** An image store that a host looks after, and an ISO and a template that go there. */
async function imageStores({ ask, zoneid, api, hosts }: World): Promise<void> {
  await api.database
    .updateTable('host')
    .set({ image_host_url: 'http://192.0.2.9:8260' })
    .where('id', '=', hosts[0]!.hostId)
    .execute();
  const place = { provider: 'NFS', url: 'nfs://192.0.2.5/images', zoneid };
  const store = idOf(await ask('addImageStore', { ...place, name: 'images' }));
  await ask('updateImageStore', { id: store, readonly: 'false' });
  await ask('listImageStores');
  await ask('listSystemVms');
  const untilStored = async () => {
    const [job] = rows(await api.call('listAsyncJobs', { keyword: 'prepareTemplate' }));
    const ended = await api.jobEnd(String(job!['jobid']));
    assert.equal(ended.content['jobstatus'], 1, ended.text);
  };
  const iso = idOf(await ask('registerIso', { name: 'stored', ...image, zoneid, isextractable: 'true' }));
  await untilStored();
  await ask('extractIso', { id: iso, mode: 'HTTP_DOWNLOAD' });
  await ask('listIsos', { id: iso });
  await ask('deleteIso', { id: iso });
  api.agents.answers['image.probe'] = () => usableProbe();
  const kind = { format: 'QCOW2', hypervisor: 'KVM', directdownload: 'false' };
  const template = idOf(await ask('registerTemplate', { name: 'stored', ...image, ...kind, zoneid }));
  await untilStored();
  await ask('extractTemplate', { id: template, mode: 'HTTP_DOWNLOAD' });
  await ask('listTemplates', { templatefilter: 'all', id: template });
  await ask('deleteTemplate', { id: template });
  await ask('deleteImageStore', { id: store });
}

async function offerings({ ask }: World) {
  const sizes = { cpunumber: '1', cpuspeed: '500', memory: '128' };
  const service = idOf(
    await ask('createServiceOffering', { name: 's', displaytext: 's', ...sizes, offerha: 'true' }),
  );
  await ask('updateServiceOffering', { id: service, displaytext: 'small' });
  const bigger = idOf(
    await ask('createServiceOffering', { name: 'b', displaytext: 'b', ...sizes, hosttags: 'gold' }),
  );
  const spare = idOf(await ask('createServiceOffering', { name: 'x', displaytext: 'x', ...sizes }));
  const disk = idOf(await ask('createDiskOffering', { name: 'd', displaytext: 'd', customized: 'true' }));
  await ask('updateDiskOffering', { id: disk, displaytext: 'any size' });
  const old = idOf(await ask('createDiskOffering', { name: 'o', displaytext: 'o', disksize: '1' }));
  await ask('listServiceOfferings');
  await ask('listDiskOfferings');
  await ask('deleteServiceOffering', { id: spare });
  await ask('deleteDiskOffering', { id: old });
  return { service, bigger, disk };
}

async function guests({ ask }: World, template: string) {
  const publickey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl';
  await ask('createSSHKeyPair', { name: 'made' });
  await ask('registerSSHKeyPair', { name: 'given', publickey });
  await ask('listSSHKeyPairs');
  await ask('deleteSSHKeyPair', { name: 'given' });
  const userdata = 'I2Nsb3VkLWNvbmZpZwo=';
  const stored = idOf(await ask('registerUserData', { name: 'cloud', userdata, params: 'a' }));
  const spare = idOf(await ask('registerUserData', { name: 'spare', userdata }));
  await ask('listUserData');
  await ask('deleteUserData', { id: spare });
  await ask('linkUserDataToTemplate', { templateid: template, userdataid: stored });
}

async function instances(
  world: World,
  made: { template: string; iso: string; network: string },
): Promise<void> {
  const { ask, tour, zoneid, api, hosts } = world;
  const { service, bigger, disk } = await offerings(world);
  await guests(world, made.template);
  const wanted = { zoneid, templateid: made.template, serviceofferingid: service };
  const deployed = await ask('deployVirtualMachine', {
    ...{
      ...wanted,
      name: 'web',
      keypair: 'made',
      diskofferingid: disk,
      size: '1',
      'userdatadetails[0].a': 'b',
    },
    ...{ 'iptonetworklist[0].networkid': made.network, 'iptonetworklist[0].ip': '10.5.0.20' },
  });
  assert.equal(deployed['state'], 'Running');
  const id = idOf(deployed);
  const virtualmachineid = id;
  await tag(world, 'UserVm', id);
  await ask('listTags');
  await ask('attachIso', { id: made.iso, virtualmachineid });
  await ask('createConsoleEndpoint', { virtualmachineid });
  await ask('getVirtualMachineConsoleOutput', { id });
  const volume = idOf(await ask('createVolume', { name: 'v', zoneid, diskofferingid: disk, size: '1' }));
  await ask('attachVolume', { id: volume, virtualmachineid });
  await tag(world, 'Volume', volume);
  await ask('listVirtualMachines', { details: 'all', userdata: 'true' });
  await ask('listVolumes');
  await ask('detachVolume', { id: volume });
  await ask('resizeVolume', { id: volume, size: '2' });
  await ask('rebootVirtualMachine', { id });
  await ask('detachIso', { virtualmachineid });
  await ask('updateVirtualMachine', { id, displayname: 'Web', 'details[0].purpose': 'test' });
  await ask('stopVirtualMachine', { id });
  await ask('resetPasswordForVirtualMachine', { id });
  await api.database.updateTable('vm_instance').set({ state: 'Stopped' }).where('uuid', '=', id).execute();
  await ask('resetSSHKeyForVirtualMachine', { id, keypair: 'made' });
  await ask('changeServiceForVirtualMachine', { id, serviceofferingid: bigger });
  await ask('scaleVirtualMachine', { id, serviceofferingid: service });
  await ask('startVirtualMachine', { id });
  await ask('restoreVirtualMachine', { virtualmachineid });
  await ask('getVMPassword', { id });
  await ask('deleteVolume', { id: volume });
  await ask('deleteTags', { resourceids: id, resourcetype: 'UserVm' });
  await ask('destroyVirtualMachine', { id });
  await ask('recoverVirtualMachine', { id });
  await ask('destroyVirtualMachine', { id });
  await ask('expungeVirtualMachine', { id });
  api.agents.answers['vm.start'] = () => Promise.reject(new Error('the host is sick'));
  const failed = await tour.fail('deployVirtualMachine', { ...wanted, hostid: hosts[0]!.hostUuid });
  assert.ok(Array.isArray(failed['jobattempts']));
  await ask('listVirtualMachines');
}

async function oversight({ ask, api }: World): Promise<void> {
  const name = 'mem.overprovisioning.factor';
  await ask('updateConfiguration', { name, value: '1.5' });
  await ask('listConfigurations');
  await ask('resetConfiguration', { name });
  await ask('listApis');
  await ask('listCapabilities');
  for (const list of ['listOsTypes', 'listOsCategories', 'listHypervisors', 'listRegions', 'listEventTypes'])
    await ask(list);
  for (const list of alwaysEmpty) await ask(list);
  await ask('listEvents');
  await api.database
    .updateTable('storage_pool')
    .set({ used_bytes: 99 * 1024 ** 3 })
    .execute();
  await tellOfFullPoolsOf(api.database);
  await ask('listAlerts');
  const jobs = await ask('listAsyncJobs', { listall: 'true' });
  await ask('queryAsyncJobResult', { jobid: String(jobs['jobid']) });
  const ends = { enddate: '2099-01-01' };
  for (const command of ['archiveAlerts', 'deleteAlerts', 'archiveEvents', 'deleteEvents'])
    await ask(command, ends);
}

test('every command’s answer decodes in the strictest client, from lists, creations and jobs', async (t) => {
  const api = await withRunningApi(t);
  const hosts = [await addHost(api.database, 'host1'), await addHost(api.database, 'host2')];
  const tour = new Tour(api);
  const world: World = { api, tour, ask: tour.ask.bind(tour), zoneid: api.ids.zoneId, hosts };
  await places(world);
  await people(world);
  const network = await networks(world);
  const made = await images(world);
  await imageStores(world);
  await pools(world, made.template);
  await instances(world, { ...made, network });
  await oversight(world);
  const missing = allSpecs
    .map(({ name }) => name)
    .filter((name) => !tour.answered.has(name) && !elsewhere.has(name));
  assert.deepEqual(missing, [], 'commands whose answers nothing holds');
});
