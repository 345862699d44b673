import { adminOnly, defineCommand, everyone } from '../command.ts';
import { clusterFields } from '../entities/cluster.ts';
import { hostFields } from '../entities/host.ts';
import { podFields } from '../entities/pod.ts';
import { storagePoolFields } from '../entities/storage-pool.ts';
import { zoneFields } from '../entities/zone.ts';
import { field, successFields } from '../fields.ts';
import { iconFilter, ignored, matchesNothing, noTagFilter, pagingParams, param, refused } from '../param.ts';

const showCapacities = {
  showcapacities: param.boolean('tell what there is and what is in use; administrators only'),
};

export const listZones = defineCommand({
  name: 'listZones',
  description: 'Lists zones',
  isAsync: false,
  params: {
    id: param.uuid('the zone of this ID'),
    ids: param.uuids('the zones of these IDs'),
    name: param.string('zones of this name'),
    networktype: param.string('zones of this network type'),
    available: param.boolean('true: only zones where the caller may deploy', ignored('that is all of them')),
    domainid: param.uuid('zones of this domain', ignored('zones belong to no domain')),
    ...showCapacities,
    ...iconFilter,
    ...noTagFilter,
    ...pagingParams,
  },
  response: zoneFields,
  result: { kind: 'list', key: 'zone' },
  roles: everyone,
});

export const listPods = defineCommand({
  name: 'listPods',
  description: 'Lists pods',
  isAsync: false,
  params: {
    id: param.uuid('the pod of this ID'),
    name: param.string('pods of this name'),
    zoneid: param.uuid('pods of this zone'),
    allocationstate: param.string('pods in this allocation state'),
    ...showCapacities,
    ...pagingParams,
  },
  response: podFields,
  result: { kind: 'list', key: 'pod' },
  roles: adminOnly,
});

export const listClusters = defineCommand({
  name: 'listClusters',
  description: 'Lists clusters',
  isAsync: false,
  params: {
    id: param.uuid('the cluster of this ID'),
    name: param.string('clusters of this name'),
    zoneid: param.uuid('clusters of this zone'),
    podid: param.uuid('clusters of this pod'),
    hypervisor: param.string('clusters of this hypervisor'),
    clustertype: param.string('clusters of this type'),
    allocationstate: param.string('clusters in this allocation state'),
    managedstate: param.string('clusters in this managed state'),
    ...showCapacities,
    ...pagingParams,
  },
  response: clusterFields,
  result: { kind: 'list', key: 'cluster' },
  roles: adminOnly,
});

export const listHosts = defineCommand({
  name: 'listHosts',
  description: 'Lists hosts',
  isAsync: false,
  params: {
    id: param.uuid('the host of this ID'),
    name: param.string('hosts of this name'),
    zoneid: param.uuid('hosts of this zone'),
    podid: param.uuid('hosts of this pod'),
    clusterid: param.uuid('hosts of this cluster'),
    type: param.string('hosts of this type; Routing'),
    state: param.string('hosts in this state'),
    resourcestate: param.string('hosts in this administrative state'),
    hypervisor: param.string('hosts of this hypervisor'),
    virtualmachineid: param.uuid('hosts this instance could move to'),
    details: param.list('what to tell: all, min, …', ignored('answers are always complete')),
    hahost: param.boolean('hosts kept for high availability', matchesNothing('there are none', 'false')),
    outofbandmanagementenabled: param.boolean(
      'hosts with out-of-band management',
      matchesNothing('there are none', 'false'),
    ),
    outofbandmanagementpowerstate: param.string(
      'hosts in this power state',
      matchesNothing('there is no out-of-band management'),
    ),
    ...pagingParams,
  },
  response: hostFields,
  result: { kind: 'list', key: 'host' },
  roles: adminOnly,
});

export const addHost = defineCommand({
  name: 'addHost',
  description:
    'Adds a host; joincommand is an own extension: run on the machine, it makes it this host, once and within an hour',
  isAsync: false,
  params: {
    zoneid: param.uuid('the zone', { required: true }),
    podid: param.uuid('the pod', { required: true }),
    hypervisor: param.string('KVM', { required: true }),
    url: param.string('the name of the host, or http://NAME', { required: true }),
    clusterid: param.uuid('the cluster; the only one of the pod when absent'),
    clustername: param.string('the name of the cluster, instead of its ID'),
    allocationstate: param.string('Enabled, or Disabled: it takes no instances yet'),
    hosttags: param.list('tags of the host, with commas: offerings with host tags go there'),
    username: param.string('the user of the host', ignored('hosts come to the server, not the other way')),
    password: param.string(
      'the password of the user',
      ignored('hosts come to the server, not the other way'),
    ),
  },
  response: {
    ...hostFields,
    jointoken: field.string('own extension: the token that admits this host, once'),
    joincommand: field.string('own extension: what to run on the machine'),
  },
  result: { kind: 'list', key: 'host' },
  roles: adminOnly,
});

export const deleteHost = defineCommand({
  name: 'deleteHost',
  description: 'Takes a host out of the cloud',
  isAsync: false,
  params: {
    id: param.uuid('the host', { required: true }),
    forced: param.boolean('although it is Enabled'),
    forcedestroylocalstorage: param.boolean(
      'with the disks on its local storage',
      refused('expunge the instances with disks there first', 'false'),
    ),
  },
  response: successFields,
  result: { kind: 'success' },
  roles: adminOnly,
});

export const updateHost = defineCommand({
  name: 'updateHost',
  description: 'Changes the name and tags of a host, and whether it takes new instances',
  isAsync: false,
  params: {
    id: param.uuid('the host', { required: true }),
    allocationstate: param.string('Enable, or Disable: it takes no new instances; those that run stay'),
    name: param.string('a new name, whatever the machine calls itself'),
    hosttags: param.list('tags of the host, with commas: offerings with host tags go there'),
    annotation: param.string('a remark', refused('there are no annotations')),
    oscategoryid: param.uuid('the OS category preferred', ignored('hosts prefer no guests')),
    url: param.string('the URL of the host', ignored('agents call the server, not the other way')),
  },
  response: hostFields,
  result: { kind: 'object', key: 'host' },
  roles: adminOnly,
});

export const listStoragePools = defineCommand({
  name: 'listStoragePools',
  description: 'Lists storage pools (primary storage)',
  isAsync: false,
  params: {
    id: param.uuid('the pool of this ID'),
    name: param.string('pools of this name'),
    zoneid: param.uuid('pools of this zone'),
    podid: param.uuid('pools of this pod'),
    clusterid: param.uuid('pools of this cluster'),
    hostid: param.uuid('pools this host reaches'),
    ipaddress: param.string('pools of this storage server'),
    path: param.string('pools of this path'),
    scope: param.string('pools of this scope: HOST, CLUSTER or ZONE'),
    status: param.string('pools in this state'),
    ...pagingParams,
  },
  response: storagePoolFields,
  result: { kind: 'list', key: 'storagepool' },
  roles: adminOnly,
});

const unmanaged = refused('there is no managed storage', 'false');

export const createStoragePool = defineCommand({
  name: 'createStoragePool',
  description: 'Makes a storage pool that several hosts reach',
  isAsync: false,
  params: {
    name: param.string('the name of the pool', { required: true }),
    url: param.string(
      'nfs://SERVER/export, rbd://USER:SECRET@MONITOR/POOL (+ and / of the secret as - and _), or SharedMountPoint://localhost/DIRECTORY, which hosts have mounted',
      {
        required: true,
        length: 2048,
      },
    ),
    zoneid: param.uuid('the zone', { required: true }),
    scope: param.string('cluster, or zone; cluster when absent'),
    clusterid: param.uuid('the cluster of the pool; the only one when absent'),
    podid: param.uuid('the pod of the cluster'),
    hypervisor: param.string('KVM'),
    tags: param.string('tags of the pool, with commas: offerings with tags go there'),
    details: param.map('nfs.mount.options: further options of the mount'),
    provider: param.string('the provider', ignored('the pool itself is reached')),
    capacitybytes: param.long('bytes the pool can hold', ignored('hosts measure it')),
    capacityiops: param.long('IOPS the pool can give', ignored('nothing is placed by it')),
    managed: param.boolean('whether the storage is managed', unmanaged),
  },
  response: storagePoolFields,
  result: { kind: 'object', key: 'storagepool' },
  roles: adminOnly,
});

export const updateStoragePool = defineCommand({
  name: 'updateStoragePool',
  description: 'Changes a storage pool',
  isAsync: false,
  params: {
    id: param.uuid('the pool', { required: true }),
    name: param.string('a new name'),
    tags: param.list('the tags of the pool from now on'),
    enabled: param.boolean('false: no new disks are put there; those that are stay in use'),
    capacitybytes: param.long('bytes the pool can hold', ignored('hosts measure it')),
    capacityiops: param.long('IOPS the pool can give', ignored('nothing is placed by it')),
  },
  response: storagePoolFields,
  result: { kind: 'object', key: 'storagepool' },
  roles: adminOnly,
});

export const deleteStoragePool = defineCommand({
  name: 'deleteStoragePool',
  description: 'Takes a storage pool of several hosts out of the cloud',
  isAsync: false,
  params: {
    id: param.uuid('the pool', { required: true }),
    forced: param.boolean('although it is not in maintenance; never with disks on it'),
  },
  response: successFields,
  result: { kind: 'success' },
  roles: adminOnly,
});

export const reconnectHost = defineCommand({
  name: 'reconnectHost',
  description: 'Ends the connection of a host, whose agent comes back at once',
  isAsync: true,
  params: { id: param.uuid('the host', { required: true }) },
  response: hostFields,
  result: { kind: 'object', key: 'host' },
  roles: adminOnly,
});

export const prepareHostForMaintenance = defineCommand({
  name: 'prepareHostForMaintenance',
  description:
    'Empties a host: instances are moved to others where these reach their disks, and stopped where not',
  isAsync: true,
  params: { id: param.uuid('the host', { required: true }) },
  response: hostFields,
  result: { kind: 'object', key: 'host' },
  roles: adminOnly,
});

export const cancelHostMaintenance = defineCommand({
  name: 'cancelHostMaintenance',
  description: 'Lets a host take instances again',
  isAsync: true,
  params: { id: param.uuid('the host', { required: true }) },
  response: hostFields,
  result: { kind: 'object', key: 'host' },
  roles: adminOnly,
});

export const declareHostAsDegraded = defineCommand({
  name: 'declareHostAsDegraded',
  description:
    'Says that a host which is away runs nothing any more, so that its highly available instances are started elsewhere; be sure of it: two copies of an instance destroy its disk',
  isAsync: true,
  params: { id: param.uuid('the host, which is Disconnected, in Alert or Down', { required: true }) },
  response: hostFields,
  result: { kind: 'object', key: 'host' },
  roles: adminOnly,
});

export const cancelHostAsDegraded = defineCommand({
  name: 'cancelHostAsDegraded',
  description: 'Lets a host that was declared degraded take instances again',
  isAsync: true,
  params: { id: param.uuid('the host', { required: true }) },
  response: hostFields,
  result: { kind: 'object', key: 'host' },
  roles: adminOnly,
});
