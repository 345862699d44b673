import { adminOnly, defineCommand, everyone, type Role } from '../command.ts';
import { capacityFields } from '../entities/capacity.ts';
import { configurationFields } from '../entities/configuration.ts';
import {
  alertFields,
  eventTypeFields,
  hostTagFields,
  regionFields,
  storageTagFields,
} from '../entities/oversight.ts';
import { projectFields } from '../entities/project.ts';
import { resourceCountFields, resourceLimitFields } from '../entities/resource-limit.ts';
import { storagePoolFields } from '../entities/storage-pool.ts';
import { securityGroupFields } from '../entities/virtual-machine.ts';
import { jobFields, successFields } from '../fields.ts';
import {
  iconFilter,
  ignored,
  matchesNothing,
  noTagFilter,
  ownerParams,
  pagingParams,
  param,
  projectFilter,
  refused,
} from '../param.ts';

/** What operators look after a cloud with. */

const anyAdmin: readonly Role[] = ['admin', 'domainadmin'];
const typeNumber = '0 instances, 2 volumes, 4 templates, 8 CPUs, 9 memory (MiB), 10 primary storage (GiB)';

export const listResourceLimits = defineCommand({
  name: 'listResourceLimits',
  description: 'Tells how much an account or a domain may have',
  isAsync: false,
  params: {
    id: param.long('the limit of this number', ignored('limits are told by account or domain')),
    resourcetype: param.integer(`limits of this type: ${typeNumber}`),
    resourcetypename: param.string(
      'limits of this type: user_vm, volume, template, cpu, memory, primary_storage',
    ),
    ...projectFilter,
    ...ownerParams,
    ...pagingParams,
  },
  response: resourceLimitFields,
  result: { kind: 'list', key: 'resourcelimit' },
  roles: everyone,
});

export const updateResourceLimit = defineCommand({
  name: 'updateResourceLimit',
  description: 'Says how much an account, or a domain with all below it, may have',
  isAsync: false,
  params: {
    resourcetype: param.integer(typeNumber, { required: true }),
    max: param.long('how much; -1, or absent: no limit'),
    account: param.string('the account; needs domainid'),
    domainid: param.uuid('the domain of the account, or the domain itself'),
    projectid: param.uuid('the project', refused('there are no projects')),
  },
  response: resourceLimitFields,
  result: { kind: 'object', key: 'resourcelimit' },
  roles: anyAdmin,
});

export const updateResourceCount = defineCommand({
  name: 'updateResourceCount',
  description: 'Counts anew what an account, or a domain with all below it, has',
  isAsync: false,
  params: {
    domainid: param.uuid('the domain of the account, or the domain itself', { required: true }),
    account: param.string('the account; absent: the domain'),
    resourcetype: param.integer(`only this type: ${typeNumber}`),
    projectid: param.uuid('the project', refused('there are no projects')),
  },
  response: resourceCountFields,
  result: { kind: 'list', key: 'resourcecount' },
  roles: anyAdmin,
});

export const listCapacity = defineCommand({
  name: 'listCapacity',
  description: 'Tells what there is and what is in use, for each type of capacity and each cluster',
  isAsync: false,
  params: {
    type: param.integer(
      'this type: 0 memory, 1 CPU, 2 primary storage in use, 3 primary storage given away, 8 addresses, 9 local storage',
    ),
    zoneid: param.uuid('capacity of this zone'),
    podid: param.uuid('capacity of this pod'),
    clusterid: param.uuid('capacity of this cluster'),
    sortby: param.string('usage: the fullest first'),
    fetchlatest: param.boolean('count anew', ignored('it is always counted anew')),
    ...pagingParams,
  },
  response: { ...capacityFields, ...jobFields },
  result: { kind: 'list', key: 'capacity' },
  roles: adminOnly,
});

export const listAlerts = defineCommand({
  name: 'listAlerts',
  description: 'Lists alerts, newest first',
  isAsync: false,
  params: {
    id: param.uuid('the alert of this ID'),
    name: param.string('alerts of this name'),
    type: param.string('alerts of the type with this number'),
    ...pagingParams,
  },
  response: alertFields,
  result: { kind: 'list', key: 'alert' },
  roles: adminOnly,
});

/** At least one of `ids`, `type` and `enddate` is needed; all that are given must match. */
const chosenAlerts = {
  ids: param.uuids('the alerts of these IDs'),
  type: param.string('alerts of the type with this number'),
  startdate: param.date('alerts since then; needs enddate'),
  enddate: param.date('alerts until then; a date without a time means the whole day'),
};
const chosenEvents = {
  ids: param.uuids('the events of these IDs'),
  type: param.string('events of this type'),
  startdate: param.date('events since then; needs enddate'),
  enddate: param.date('events until then; a date without a time means the whole day'),
};

export const archiveAlerts = defineCommand({
  name: 'archiveAlerts',
  description: 'Takes alerts off their list; the events that they are stay',
  isAsync: false,
  params: chosenAlerts,
  response: successFields,
  result: { kind: 'success' },
  roles: adminOnly,
});

export const deleteAlerts = defineCommand({
  name: 'deleteAlerts',
  description: 'Deletes alerts; the events that they are stay',
  isAsync: false,
  params: chosenAlerts,
  response: successFields,
  result: { kind: 'success' },
  roles: adminOnly,
});

export const archiveEvents = defineCommand({
  name: 'archiveEvents',
  description: 'Takes events off their list: listEvents shows them with archived=true',
  isAsync: false,
  params: chosenEvents,
  response: successFields,
  result: { kind: 'success' },
  roles: everyone,
});

export const deleteEvents = defineCommand({
  name: 'deleteEvents',
  description: 'Deletes events; alerts among them stay alerts, and an event tells how many are gone',
  isAsync: false,
  params: chosenEvents,
  response: successFields,
  result: { kind: 'success' },
  roles: everyone,
});

export const listEventTypes = defineCommand({
  name: 'listEventTypes',
  description: 'Lists the types of events',
  isAsync: false,
  params: {},
  response: eventTypeFields,
  result: { kind: 'list', key: 'eventtype' },
  roles: everyone,
});

const scopes = {
  accountid: param.uuid('the value for this account'),
  clusterid: param.uuid('the value for this cluster'),
  domainid: param.uuid('the value for this domain'),
  imagestoreid: param.uuid(
    'the value for this image store',
    refused('image stores have no settings of their own'),
  ),
  storageid: param.uuid('the value for this storage pool'),
  zoneid: param.uuid('the value for this zone'),
};

export const resetConfiguration = defineCommand({
  name: 'resetConfiguration',
  description:
    'Gives a setting its default again, or the value that holds around a zone, cluster, pool, domain or account',
  isAsync: false,
  params: {
    name: param.string('the name of the setting', { required: true }),
    ...scopes,
  },
  response: configurationFields,
  result: { kind: 'object', key: 'configuration' },
  roles: adminOnly,
});

const onePool = {
  isAsync: true,
  params: { id: param.uuid('the storage pool', { required: true }) },
  response: storagePoolFields,
  result: { kind: 'object', key: 'storagepool' },
  roles: adminOnly,
} as const;

export const enableStorageMaintenance = defineCommand({
  name: 'enableStorageMaintenance',
  description: 'Stops the instances with disks on a storage pool and keeps others off it',
  ...onePool,
});

export const cancelStorageMaintenance = defineCommand({
  name: 'cancelStorageMaintenance',
  description: 'Takes a storage pool into use again and starts the instances that its maintenance stopped',
  ...onePool,
});

export const listHostTags = defineCommand({
  name: 'listHostTags',
  description: 'Lists the tags of hosts',
  isAsync: false,
  params: pagingParams,
  response: hostTagFields,
  result: { kind: 'list', key: 'hosttag' },
  roles: adminOnly,
});

export const listStorageTags = defineCommand({
  name: 'listStorageTags',
  description: 'Lists the tags of storage pools',
  isAsync: false,
  params: pagingParams,
  response: storageTagFields,
  result: { kind: 'list', key: 'storagetag' },
  roles: adminOnly,
});

export const listRegions = defineCommand({
  name: 'listRegions',
  description: 'Lists regions: there is one',
  isAsync: false,
  params: {
    id: param.integer('the region of this ID'),
    name: param.string('the region of this name'),
    ...pagingParams,
  },
  response: regionFields,
  result: { kind: 'list', key: 'region' },
  roles: everyone,
});

const none = matchesNothing('there are none');

export const listProjects = defineCommand({
  name: 'listProjects',
  description: 'Lists projects: there are none',
  isAsync: false,
  params: {
    id: param.uuid('the project of this ID', none),
    name: param.string('projects of this name', none),
    displaytext: param.string('projects of this description', none),
    state: param.string('projects in this state', none),
    username: param.string('projects of this user', none),
    details: param.list('what to tell', ignored('there is nothing to tell')),
    ...iconFilter,
    ...noTagFilter,
    ...ownerParams,
    ...pagingParams,
  },
  response: projectFields,
  result: { kind: 'list', key: 'project' },
  roles: everyone,
});

export const listSecurityGroups = defineCommand({
  name: 'listSecurityGroups',
  description: 'Lists security groups: there are none',
  isAsync: false,
  params: {
    id: param.uuid('the security group of this ID', none),
    securitygroupname: param.string('security groups of this name', none),
    virtualmachineid: param.uuid('security groups of this instance', none),
    ...noTagFilter,
    ...projectFilter,
    ...ownerParams,
    ...pagingParams,
  },
  response: { ...securityGroupFields, ...jobFields },
  result: { kind: 'list', key: 'securitygroup' },
  roles: everyone,
});
