import { defineCommand, everyone } from '../command.ts';
import { eventFields } from '../entities/event.ts';
import { networkFields } from '../entities/network.ts';
import { hypervisorFields, osCategoryFields, osTypeFields } from '../entities/os-type.ts';
import { serviceOfferingFields } from '../entities/service-offering.ts';
import { volumeFields } from '../entities/volume.ts';
import {
  iconFilter,
  ignored,
  matchesNothing,
  ownerParams,
  pagingParams,
  param,
  projectFilter,
  tagFilter,
} from '../param.ts';

const { account: _account, ...offeringOwnerParams } = ownerParams;
const sharedByAll = ignored('offerings belong to everybody');

export const listServiceOfferings = defineCommand({
  name: 'listServiceOfferings',
  description: 'Lists service offerings',
  isAsync: false,
  params: {
    id: param.uuid('the offering of this ID'),
    name: param.string('offerings of this name'),
    cpunumber: param.integer('offerings with this many CPUs'),
    cpuspeed: param.integer('offerings with this CPU speed, MHz'),
    memory: param.integer('offerings with this much memory, MiB'),
    storagetype: param.string('offerings of this storage type'),
    zoneid: param.uuid('offerings of this zone', sharedByAll),
    virtualmachineid: param.uuid('offerings this instance could change to', sharedByAll),
    encryptroot: param.boolean(
      'offerings that encrypt root volumes',
      matchesNothing('there are none', 'false'),
    ),
    issystem: param.boolean('offerings of system instances', matchesNothing('there are none', 'false')),
    systemvmtype: param.string('offerings of this kind of system instance', matchesNothing('there are none')),
    ...offeringOwnerParams,
    ...pagingParams,
  },
  response: serviceOfferingFields,
  result: { kind: 'list', key: 'serviceoffering' },
  roles: everyone,
});

export const listNetworks = defineCommand({
  name: 'listNetworks',
  description: 'Lists networks',
  isAsync: false,
  params: {
    id: param.uuid('the network of this ID'),
    zoneid: param.uuid('networks of this zone'),
    type: param.string('networks of this type: Shared, Isolated or L2'),
    traffictype: param.string('networks for this traffic: Guest'),
    networkfilter: param.string(
      'all, account, domain, …',
      ignored('those that the caller may use are listed'),
    ),
    acltype: param.string('Account or Domain'),
    canusefordeploy: param.boolean(
      'networks where instances can be deployed',
      matchesNothing('all can', 'true'),
    ),
    displaynetwork: param.boolean('networks shown to users', matchesNothing('all are shown', 'true')),
    issystem: param.boolean('networks of the system', matchesNothing('there are none', 'false')),
    restartrequired: param.boolean('networks that need a restart', matchesNothing('none does', 'false')),
    specifyipranges: param.boolean('networks with given ranges, or the others'),
    forvpc: param.boolean('networks of VPCs', matchesNothing('there are none', 'false')),
    vpcid: param.uuid('networks of this VPC', matchesNothing('there are none')),
    vlan: param.string('networks of this VLAN', { adminOnly: true }),
    associatednetworkid: param.uuid('networks associated with this one', matchesNothing('there are none')),
    networkofferingid: param.uuid('networks of this offering'),
    physicalnetworkid: param.uuid('networks on this physical network'),
    supportedservices: param.list('networks with these services', matchesNothing('list without it')),
    ...iconFilter,
    ...tagFilter,
    ...projectFilter,
    ...ownerParams,
    ...pagingParams,
  },
  response: networkFields,
  result: { kind: 'list', key: 'network' },
  roles: everyone,
});

export const listOsTypes = defineCommand({
  name: 'listOsTypes',
  description: 'Lists OS types',
  isAsync: false,
  params: {
    id: param.uuid('the OS type of this ID'),
    ids: param.uuids('the OS types of these IDs'),
    description: param.string('the OS type of exactly this name'),
    oscategoryid: param.uuid('OS types of this category'),
    ...pagingParams,
  },
  response: osTypeFields,
  result: { kind: 'list', key: 'ostype' },
  roles: everyone,
});

export const listOsCategories = defineCommand({
  name: 'listOsCategories',
  description: 'Lists the categories of OS types',
  isAsync: false,
  params: {
    id: param.uuid('the category of this ID'),
    name: param.string('the category of this name'),
    ...pagingParams,
  },
  response: osCategoryFields,
  result: { kind: 'list', key: 'oscategory' },
  roles: everyone,
});

export const listHypervisors = defineCommand({
  name: 'listHypervisors',
  description: 'Lists hypervisors',
  isAsync: false,
  params: { zoneid: param.uuid('hypervisors of this zone') },
  response: hypervisorFields,
  result: { kind: 'list', key: 'hypervisor' },
  roles: everyone,
});

export const listVolumes = defineCommand({
  name: 'listVolumes',
  description: 'Lists volumes',
  isAsync: false,
  params: {
    id: param.uuid('the volume of this ID'),
    ids: param.uuids('the volumes of these IDs'),
    name: param.string('volumes of this name'),
    type: param.string('ROOT or DATADISK'),
    state: param.string('volumes in this state'),
    virtualmachineid: param.uuid('volumes of this instance'),
    zoneid: param.uuid('volumes of this zone'),
    podid: param.uuid('volumes of this pod', { adminOnly: true }),
    clusterid: param.uuid('volumes of this cluster', { adminOnly: true }),
    hostid: param.uuid('volumes of instances on this host', { adminOnly: true }),
    storageid: param.string('volumes on this pool', { adminOnly: true }),
    diskofferingid: param.uuid('volumes of this disk offering'),
    displayvolume: param.boolean('volumes shown to users', matchesNothing('all are shown', 'true')),
    listsystemvms: param.boolean('volumes of system instances', ignored('there are none')),
    ...tagFilter,
    ...projectFilter,
    ...ownerParams,
    ...pagingParams,
  },
  response: volumeFields,
  result: { kind: 'list', key: 'volume' },
  roles: everyone,
});

export const listEvents = defineCommand({
  name: 'listEvents',
  description: 'Lists events, newest first',
  isAsync: false,
  params: {
    id: param.uuid('the event of this ID'),
    type: param.string('events of this type'),
    level: param.string('events of this level: INFO, WARN or ERROR'),
    state: param.string('events in this state: Created, Scheduled, Started or Completed'),
    archived: param.boolean('the events that were archived, not the others'),
    resourceid: param.string('events about this resource'),
    resourcetype: param.string('events about this type of resource'),
    startid: param.uuid('events that follow this one'),
    startdate: param.date('events since then'),
    enddate: param.date('events until then; a date without a time means the whole day'),
    duration: param.integer('events that stayed open longer, seconds', ignored('use startdate and enddate')),
    entrytime: param.integer('events that were open then, seconds', ignored('use startdate and enddate')),
    ...projectFilter,
    ...ownerParams,
    ...pagingParams,
  },
  response: eventFields,
  result: { kind: 'list', key: 'event' },
  roles: everyone,
});
