import { adminOnly, defineCommand } from '../command.ts';
import { serviceOfferingFields } from '../entities/service-offering.ts';
import { successFields } from '../fields.ts';
import { ignored, param, refused } from '../param.ts';

const noRates = refused('rates of disks are not limited in this release', 'false');
const forEverybody = refused('offerings belong to everybody');
const noCustom = refused('an offering says its own size in this release', 'false');
const rate = (what: string) => param.long(`a limit of ${what}`, noRates);
const oneOffering = {
  response: serviceOfferingFields,
  result: { kind: 'object', key: 'serviceoffering' },
  roles: adminOnly,
} as const;

export const createServiceOffering = defineCommand({
  name: 'createServiceOffering',
  description: 'Makes a service offering: how large instances of it are, and where they may run',
  isAsync: false,
  params: {
    name: param.string('the name of the offering', { required: true }),
    displaytext: param.string('the description of the offering', { required: true, length: 4096 }),
    cpunumber: param.integer('the number of CPUs'),
    cpuspeed: param.integer('the speed of each CPU, MHz: what is counted as used of a host'),
    memory: param.integer('memory, MiB'),
    storagetype: param.string('shared (the default) for every pool, local for those of the host alone'),
    tags: param.string('tags a pool must have, with commas'),
    hosttags: param.string('tags a host must have, with commas'),
    provisioningtype: param.string('thin', refused('disks are thin', 'thin')),
    cachemode: param.string('how writes are cached', refused('the host caches nothing', 'none')),
    customized: param.boolean('sizes are chosen at deployment', noCustom),
    mincpunumber: param.integer('the least CPUs that can be chosen', noCustom),
    maxcpunumber: param.integer('the most CPUs that can be chosen', noCustom),
    minmemory: param.integer('the least memory that can be chosen', noCustom),
    maxmemory: param.integer('the most memory that can be chosen', noCustom),
    offerha: param.boolean(
      'instances start elsewhere when their host is lost',
      refused('not in this release', 'false'),
    ),
    limitcpuuse: param.boolean('hold CPUs to their speed', refused('CPUs are not limited', 'false')),
    isvolatile: param.boolean('a fresh root disk at every start', refused('not in this release', 'false')),
    issystem: param.boolean('for system instances', refused('there are none', 'false')),
    systemvmtype: param.string('the kind of system instance', ignored('there are none')),
    dynamicscalingenabled: param.boolean(
      'instances may be scaled while they run',
      refused('not in this release', 'false'),
    ),
    diskofferingid: param.uuid('the offering of the root disk', refused('root disks have none')),
    diskofferingstrictness: param.boolean(
      'the disk offering stays',
      refused('root disks have none', 'false'),
    ),
    encryptroot: param.boolean('encrypt root disks', refused('there is no encryption', 'false')),
    rootdisksize: param.long('the size of root disks, GB', refused('say rootdisksize at deployment')),
    networkrate: param.integer('the network rate, Mbit/s', refused('rates of networks are not limited')),
    deploymentplanner: param.string('the planner', ignored('there is one')),
    serviceofferingdetails: param.map('further details', ignored('nothing reads them')),
    storagepolicy: param.uuid('a storage policy of vSphere', ignored('there is no vSphere')),
    hypervisorsnapshotreserve: param.integer('room kept for snapshots', ignored('there are no snapshots')),
    domainid: param.list('the domains that may use it', forEverybody),
    zoneid: param.list('the zones where it may be used', forEverybody),
    customizediops: param.boolean('IOPS are chosen at deployment', noRates),
    maxiops: param.long('the most IOPS', noRates),
    miniops: param.long('the least IOPS', noRates),
    bytesreadrate: rate('bytes read'),
    bytesreadratemax: rate('bytes read'),
    bytesreadratemaxlength: rate('bytes read'),
    byteswriterate: rate('bytes written'),
    byteswriteratemax: rate('bytes written'),
    byteswriteratemaxlength: rate('bytes written'),
    iopsreadrate: rate('reads'),
    iopsreadratemax: rate('reads'),
    iopsreadratemaxlength: rate('reads'),
    iopswriterate: rate('writes'),
    iopswriteratemax: rate('writes'),
    iopswriteratemaxlength: rate('writes'),
  },
  ...oneOffering,
});

export const updateServiceOffering = defineCommand({
  name: 'updateServiceOffering',
  description: 'Changes a service offering; instances follow at their next start',
  isAsync: false,
  params: {
    id: param.uuid('the offering', { required: true }),
    name: param.string('the new name'),
    displaytext: param.string('the new description', { length: 4096 }),
    hosttags: param.string('the tags a host must have from now on'),
    storagetags: param.string('the tags a pool must have from now on'),
    sortkey: param.integer('its place in lists', ignored('lists are in the order of making')),
    domainid: param.string('the domains that may use it', forEverybody),
    zoneid: param.string('the zones where it may be used', forEverybody),
  },
  ...oneOffering,
});

export const deleteServiceOffering = defineCommand({
  name: 'deleteServiceOffering',
  description: 'Removes a service offering; instances of it stay',
  isAsync: false,
  params: { id: param.uuid('the offering', { required: true }) },
  response: successFields,
  result: { kind: 'success' },
  roles: adminOnly,
});
