import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { allSpecs, type CommandSpec } from '@millrace/api';
import { usableProbe } from './testing/fake-ports.ts';
import { snapshotOf } from './testing/snapshot.ts';
import { type Belongings, type Cast, giveBelongings, makeCast } from './testing/tenants.ts';
import {
  type Answer,
  addHost,
  type Keys,
  type Params,
  rows,
  type TestApi,
  withTestApi,
} from './testing/test-api.ts';

/**
 * Every command × everybody: the owner, a colleague of the same domain, the administrators of its domain and of another
 * one, a stranger, the root admin, and one who may only read. A command without a row here fails.
 */

type Row =
  /** Concerns nobody's belongings: only the role decides. */
  | { readonly kind: 'open' }
  /** Does something to, or tells something of, what somebody owns. */
  | { readonly kind: 'acts'; readonly params: (own: Belongings) => Params }
  /** Lists what somebody owns; `id` is that of the thing, as the list has it. */
  | {
      readonly kind: 'lists';
      readonly id: (own: Belongings) => string;
      readonly field?: string;
      readonly params?: Params;
    };

const open: Row = { kind: 'open' };
const acts = (params: (own: Belongings) => Params): Row => ({ kind: 'acts', params });
const lists = (id: (own: Belongings) => string, field?: string, params?: Params): Row => ({
  kind: 'lists',
  id,
  ...(field === undefined ? {} : { field }),
  ...(params === undefined ? {} : { params }),
});
const onVm = acts(({ vm }) => ({ id: vm }));
const onUser = acts(({ owner }) => ({ id: owner.userUuid }));
const onAccount = acts(({ owner }) => ({ id: owner.accountUuid, lock: 'false' }));
const inAccount = ({ owner }: Belongings) => ({ account: owner.name, domainid: owner.domainUuid });
const person = { firstname: 'A', lastname: 'B', email: 'a@b', password: 'correct horse' };
const publicKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl';

/** Known once there is a cloud. */
let place: { readonly zoneid: string; readonly serviceofferingid: string; readonly diskofferingid: string };

const table: Readonly<Record<string, Row>> = {
  listApis: open,
  listCapabilities: open,
  listAsyncJobs: lists(({ job }) => job, 'jobid'),
  queryAsyncJobResult: acts(({ job }) => ({ jobid: job })),
  deleteTemplate: acts(({ template }) => ({ id: template })),
  listTemplates: lists(({ template }) => template, 'id', { templatefilter: 'executable' }),
  copyTemplate: acts(({ template }) => ({ id: template, destzoneid: place.zoneid })),
  updateTemplate: acts(({ template }) => ({ id: template, displaytext: 'other' })),
  updateTemplatePermissions: acts(({ template }) => ({ id: template, op: 'reset' })),
  listTemplatePermissions: acts(({ template }) => ({ id: template })),
  updateIso: acts(({ iso }) => ({ id: iso, displaytext: 'other' })),
  updateIsoPermissions: acts(({ iso }) => ({ id: iso, op: 'reset' })),
  listIsoPermissions: acts(({ iso }) => ({ id: iso })),
  createTags: acts(({ vm }) => ({ resourceids: vm, resourcetype: 'UserVm', 'tags[0].env': 'test' })),
  deleteTags: acts(({ vm }) => ({ resourceids: vm, resourcetype: 'UserVm' })),
  listTags: lists(({ vm }) => vm, 'resourceid'),
  changeServiceForVirtualMachine: acts((own) => ({ ...place, id: own.stoppedVm })),
  scaleVirtualMachine: acts((own) => ({ ...place, id: own.stoppedVm })),
  updateDiskOffering: open,
  listHypervisors: open,
  listOsCategories: open,
  prepareTemplate: open,
  evictTemplate: open,
  verifyTemplate: open,
  addImageStore: open,
  updateImageStore: open,
  deleteImageStore: open,
  // the rows' templates may be downloaded by users
  extractTemplate: acts(({ template }) => ({ id: template, mode: 'HTTP_DOWNLOAD' })),
  extractIso: acts(({ iso }) => ({ id: iso, mode: 'HTTP_DOWNLOAD' })),
  probeTemplate: open,
  registerTemplate: acts((own) => ({
    ...inAccount(own),
    name: 't',
    displaytext: 't',
    format: 'QCOW2',
    hypervisor: 'KVM',
    url: 'https://images.example/t',
    zoneid: place.zoneid,
  })),
  attachIso: acts(({ iso, vm }) => ({ id: iso, virtualmachineid: vm })),
  deleteIso: acts(({ iso }) => ({ id: iso })),
  detachIso: acts(({ vm }) => ({ virtualmachineid: vm })),
  listIsos: lists(({ iso }) => iso, 'id', { isofilter: 'executable' }),
  registerIso: acts((own) => ({
    ...inAccount(own),
    name: 'i',
    displaytext: 'i',
    url: 'https://images.example/i',
    zoneid: place.zoneid,
  })),
  listTemplateDirectDownloadCertificates: open,
  provisionTemplateDirectDownloadCertificate: open,
  revokeTemplateDirectDownloadCertificate: open,
  uploadTemplateDirectDownloadCertificate: open,
  deployVirtualMachine: acts((own) => ({
    ...inAccount(own),
    ...place,
    templateid: own.template,
    diskofferingid: '',
  })),
  createConsoleEndpoint: acts(({ vm }) => ({ virtualmachineid: vm })),
  destroyVirtualMachine: onVm,
  expungeVirtualMachine: onVm,
  getVMPassword: onVm,
  getVirtualMachineConsoleOutput: onVm,
  listVirtualMachines: lists(({ vm }) => vm),
  migrateVirtualMachine: open,
  rebootVirtualMachine: onVm,
  recoverVirtualMachine: onVm,
  resetPasswordForVirtualMachine: acts(({ stoppedVm }) => ({ id: stoppedVm })),
  resetSSHKeyForVirtualMachine: acts((own) => ({
    ...inAccount(own),
    id: own.stoppedVm,
    keypair: own.keyPair,
  })),
  restoreVirtualMachine: acts(({ vm }) => ({ virtualmachineid: vm })),
  startVirtualMachine: acts(({ stoppedVm }) => ({ id: stoppedVm })),
  stopVirtualMachine: onVm,
  updateVirtualMachine: acts(({ vm }) => ({ id: vm, displayname: 'other' })),
  attachVolume: acts(({ volume, vm }) => ({ id: volume, virtualmachineid: vm })),
  createDiskOffering: open,
  createVolume: acts((own) => ({ ...inAccount(own), ...place, name: 'v' })),
  deleteDiskOffering: open,
  deleteVolume: acts(({ volume }) => ({ id: volume })),
  detachVolume: acts(({ volume }) => ({ id: volume })),
  listDiskOfferings: open,
  resizeVolume: acts(({ volume }) => ({ id: volume, size: '2' })),
  createSSHKeyPair: acts((own) => ({ ...inAccount(own), name: 'new' })),
  deleteSSHKeyPair: acts((own) => ({ ...inAccount(own), name: own.keyPair })),
  deleteUserData: acts((own) => ({ ...inAccount(own), id: own.userData })),
  linkUserDataToTemplate: acts(({ template, userData }) => ({ templateid: template, userdataid: userData })),
  listSSHKeyPairs: lists(({ keyPair }) => keyPair, 'name'),
  listUserData: lists(({ userData }) => userData),
  registerSSHKeyPair: acts((own) => ({ ...inAccount(own), name: 'new', publickey: publicKey })),
  registerUserData: acts((own) => ({ ...inAccount(own), name: 'new', userdata: 'I2Nsb3VkLWNvbmZpZwo=' })),
  addHost: open,
  cancelHostAsDegraded: open,
  cancelHostMaintenance: open,
  declareHostAsDegraded: open,
  createStoragePool: open,
  deleteHost: open,
  deleteStoragePool: open,
  listClusters: open,
  listHosts: open,
  listPods: open,
  listStoragePools: open,
  listZones: open,
  prepareHostForMaintenance: open,
  updateHost: open,
  updateStoragePool: open,
  listEvents: lists(({ event }) => event),
  listNetworks: lists(({ network }) => network),
  listOsTypes: open,
  listServiceOfferings: open,
  listVolumes: lists(({ volume }) => volume),
  getUser: open,
  getUserKeys: onUser,
  listConfigurations: open,
  listUsers: lists(({ owner }) => owner.userUuid),
  registerUserKeys: onUser,
  updateConfiguration: open,
  createAccount: acts(({ owner }) => ({
    ...person,
    domainid: owner.domainUuid,
    accounttype: '0',
    username: `made-${owner.name}`,
  })),
  createDomain: acts(({ owner }) => ({ parentdomainid: owner.domainUuid, name: `below-${owner.name}` })),
  createRole: open,
  createRolePermission: open,
  createUser: acts((own) => ({ ...person, ...inAccount(own), username: `second-${own.owner.name}` })),
  deleteAccount: onAccount,
  deleteDomain: open,
  deleteRole: open,
  deleteRolePermission: open,
  deleteUser: onUser,
  disableAccount: onAccount,
  disableUser: onUser,
  enableAccount: onAccount,
  enableUser: onUser,
  listAccounts: lists(({ owner }) => owner.accountUuid),
  listDomainChildren: acts(({ owner }) => ({ id: owner.domainUuid })),
  listDomains: lists(({ owner }) => owner.domainUuid),
  listRolePermissions: open,
  listRoles: open,
  lockAccount: acts(inAccount),
  lockUser: onUser,
  updateAccount: acts(({ owner }) => ({ id: owner.accountUuid, newname: `${owner.name}-renamed` })),
  updateDomain: open,
  updateRole: open,
  updateRolePermission: open,
  createServiceOffering: open,
  updateServiceOffering: open,
  deleteServiceOffering: open,
  reconnectHost: open,
  createNetworkOffering: open,
  deleteNetworkOffering: open,
  listNetworkOfferings: open,
  updateNetworkOffering: open,
  addTrafficType: open,
  createPhysicalNetwork: open,
  deletePhysicalNetwork: open,
  listNetworkServiceProviders: open,
  listPhysicalNetworks: open,
  listSupportedNetworkServices: open,
  listTrafficTypes: open,
  updateNetworkServiceProvider: open,
  updatePhysicalNetwork: open,
  createVlanIpRange: open,
  deleteVlanIpRange: open,
  listVlanIpRanges: open,
  createNetwork: open,
  updateNetwork: acts(({ network }) => ({ id: network, displaytext: 'other' })),
  deleteNetwork: acts(({ network }) => ({ id: network })),
  addCluster: open,
  createPod: open,
  createZone: open,
  deleteCluster: open,
  deletePod: open,
  deleteZone: open,
  updateCluster: open,
  updatePod: open,
  updateZone: open,
  enableStorageMaintenance: open,
  cancelStorageMaintenance: open,
  listAlerts: open,
  listCapacity: open,
  listEventTypes: open,
  listHostTags: open,
  listImageStores: open,
  listProjects: open,
  listRegions: open,
  listIpForwardingRules: open,
  listPortForwardingRules: open,
  listPublicIpAddresses: open,
  listSecurityGroups: open,
  listStorageTags: open,
  listSystemVms: open,
  resetConfiguration: open,
  archiveAlerts: open,
  deleteAlerts: open,
  archiveEvents: acts(({ event }) => ({ ids: event })),
  deleteEvents: acts(({ event }) => ({ ids: event })),
  updateResourceCount: acts(inAccount),
  listResourceLimits: acts(inAccount),
  updateResourceLimit: acts((own) => ({ ...inAccount(own), resourcetype: '0', max: '50' })),
  updateUser: acts(({ owner }) => ({ id: owner.userUuid, firstname: 'Other' })),
};

/** Before anybody is known; and the end of a session, which a signature has none of. */
const withoutRow: ReadonlySet<string> = new Set(['login', 'logout']);
/** In one domain everybody sees the domain. */
const sharedByColleagues: ReadonlySet<string> = new Set(['listDomains']);

type Who = keyof Cast | 'owner';
const roleOf = {
  owner: 'user',
  colleague: 'user',
  stranger: 'user',
  domainAdmin: 'domainadmin',
  otherDomainAdmin: 'domainadmin',
  root: 'admin',
  reader: 'admin',
} as const satisfies Record<Who, string>;
const everybody = Object.keys(roleOf) as Who[];
const reaching: ReadonlySet<Who> = new Set(['owner', 'domainAdmin', 'root', 'reader']);

let api: TestApi;
let cast: Cast;
let hostId: number;
let made = 0;
const ends: (() => unknown)[] = [];
const counts = { commands: 0, calls: 0 };

before(async () => {
  // one database for all: a TestContext is where its end is noted
  const context = { after: (end: () => unknown) => void ends.unshift(end) } as unknown as TestContext;
  api = await withTestApi(context);
  ({ hostId } = await addHost(api.database, 'host1'));
  cast = await makeCast(api);
  api.agents.answers['image.probe'] = () => usableProbe();
  const offeringOf = async (list: string) => String(rows(await api.call(list))[0]!['id']);
  place = {
    zoneid: api.ids.zoneId,
    serviceofferingid: await offeringOf('listServiceOfferings'),
    diskofferingid: await offeringOf('listDiskOfferings'),
  };
});
after(async () => {
  for (const end of ends) await end();
  console.log(`authorization walk: ${counts.commands} commands, ${counts.calls} calls`);
});

const belongings = () => giveBelongings(api.database, `tenant-${made++}`, hostId);
const keysOf = (who: Who, own: Belongings): Keys => (who === 'owner' ? own.owner : cast[who]);

async function ask(spec: CommandSpec, params: Params, keys: Keys): Promise<Answer> {
  counts.calls++;
  return api.call(spec.name, params, keys);
}

/** By its role, and for the reader by its rules. */
function mayCall(who: Who, spec: CommandSpec): boolean {
  const reads = /^(list|query|get)/.test(spec.name) && !['getUserKeys', 'getVMPassword'].includes(spec.name);
  return spec.roles.includes(roleOf[who]) && (who !== 'reader' || reads);
}

const denial = /does not exist|no permission|there is no|not available|which yours may not/i;

function textOf(answer: Answer): string {
  return answer.status === 200 ? '' : String(answer.content['errortext']);
}

async function walkActs(spec: CommandSpec, params: (own: Belongings) => Params): Promise<void> {
  const own = await belongings();
  for (const who of everybody) {
    const reached = mayCall(who, spec) && reaching.has(who);
    const subject = reached ? await belongings() : own;
    const untouched = reached ? undefined : await snapshotOf(api.database);
    const answer = await ask(spec, params(subject), keysOf(who, subject));
    const told = `${spec.name} by ${who}: ${answer.status} ${textOf(answer)}`;
    if (reached) assert.doesNotMatch(textOf(answer), denial, told);
    else {
      const statuses = mayCall(who, spec) ? [431, 531] : [432];
      assert.ok(statuses.includes(answer.status), told);
      assert.match(textOf(answer), denial, told);
      assert.deepEqual(await snapshotOf(api.database), untouched, told);
    }
  }
}

async function walkLists(spec: CommandSpec, row: Extract<Row, { kind: 'lists' }>): Promise<void> {
  const own = await belongings();
  const wanted = row.id(own);
  for (const who of everybody) {
    const answer = await ask(spec, { listall: 'true', pagesize: '500', ...row.params }, keysOf(who, own));
    if (!mayCall(who, spec)) {
      assert.equal(answer.status, 432, `${spec.name} by ${who}`);
      continue;
    }
    assert.equal(answer.status, 200, `${spec.name} by ${who}: ${answer.text}`);
    const seen = rows(answer).some((entity) => entity[row.field ?? 'id'] === wanted);
    const expected = reaching.has(who) || (who === 'colleague' && sharedByColleagues.has(spec.name));
    assert.equal(seen, expected, `${spec.name} shows ${who} ${seen ? 'what it must not see' : 'too little'}`);
  }
}

async function walkOpen(spec: CommandSpec): Promise<void> {
  const own = await belongings();
  for (const who of everybody) {
    const answer = await ask(spec, {}, keysOf(who, own));
    const told = `${spec.name} by ${who}: ${answer.status} ${textOf(answer)}`;
    if (mayCall(who, spec)) assert.ok(answer.status !== 432 && answer.status !== 531, told);
    else assert.equal(answer.status, 432, told);
  }
}

for (const spec of allSpecs) {
  if (withoutRow.has(spec.name)) continue;
  test(`${spec.name} reaches what its caller may reach`, async () => {
    const row = table[spec.name];
    assert.ok(row, `${spec.name} has no row in the table of authorizations`);
    counts.commands++;
    if (row.kind === 'acts') await walkActs(spec, row.params);
    else if (row.kind === 'lists') await walkLists(spec, row);
    else await walkOpen(spec);
  });
}

test('the table has no row of a command that there is not', () => {
  const names = new Set(allSpecs.map(({ name }) => name));
  assert.deepEqual(
    Object.keys(table).filter((name) => !names.has(name)),
    [],
  );
});
