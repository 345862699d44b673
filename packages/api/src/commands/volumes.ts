import { adminOnly, defineCommand, everyone } from '../command.ts';
import { diskOfferingFields } from '../entities/disk-offering.ts';
import { volumeFields } from '../entities/volume.ts';
import { successFields } from '../fields.ts';
import { ignored, matchesNothing, ownerParams, pagingParams, param, refused } from '../param.ts';

const volumeResult = { kind: 'object', key: 'volume' } as const;
const noIops = ignored('disks are as fast as their pool');
const noSnapshots = refused('there are no snapshots in this release');

export const createVolume = defineCommand({
  name: 'createVolume',
  description: 'Makes a data disk; it takes room when it is first attached',
  isAsync: true,
  params: {
    diskofferingid: param.uuid('the disk offering'),
    size: param.long('the size, GB, when the disk offering leaves it open'),
    name: param.string('the name of the volume'),
    zoneid: param.uuid('the zone'),
    virtualmachineid: param.uuid('the instance to attach it to; its zone is the zone then'),
    account: param.string('the account that will own it; needs domainid'),
    domainid: param.uuid('the domain of that account'),
    snapshotid: param.uuid('the snapshot to make it from', noSnapshots),
    displayvolume: param.boolean('show it to users', refused('every volume is shown to its users', 'true')),
    customid: param.string('the ID it shall have', refused('IDs are given by the server')),
    projectid: param.uuidOrAll('the project that will own it', refused('there are no projects')),
    maxiops: param.long('the most IOPS', noIops),
    miniops: param.long('the least IOPS', noIops),
  },
  response: volumeFields,
  result: volumeResult,
  roles: everyone,
});

export const attachVolume = defineCommand({
  name: 'attachVolume',
  description: 'Attaches a data disk to an instance, also while it runs',
  isAsync: true,
  params: {
    id: param.uuid('the volume', { required: true }),
    virtualmachineid: param.uuid('the instance', { required: true }),
    deviceid: param.long('the position of the device, from 1; the first free one when absent'),
  },
  response: volumeFields,
  result: volumeResult,
  roles: everyone,
});

export const detachVolume = defineCommand({
  name: 'detachVolume',
  description: 'Detaches a data disk from its instance, also while it runs',
  isAsync: true,
  params: {
    id: param.uuid('the volume'),
    virtualmachineid: param.uuid('with deviceid, instead of the volume: the instance'),
    deviceid: param.long('with virtualmachineid: the position of the device'),
  },
  response: volumeFields,
  result: volumeResult,
  roles: everyone,
});

export const resizeVolume = defineCommand({
  name: 'resizeVolume',
  description: 'Makes a volume larger, also while its instance runs',
  isAsync: true,
  params: {
    id: param.uuid('the volume', { required: true }),
    size: param.long('the new size, GB'),
    diskofferingid: param.uuid('the disk offering whose size it gets'),
    shrinkok: param.boolean('make it smaller', refused('a volume can only be grown', 'false')),
    maxiops: param.long('the most IOPS', noIops),
    miniops: param.long('the least IOPS', noIops),
  },
  response: volumeFields,
  result: volumeResult,
  roles: everyone,
});

export const deleteVolume = defineCommand({
  name: 'deleteVolume',
  description: 'Removes a data disk that is attached to nothing',
  isAsync: false,
  params: { id: param.uuid('the volume', { required: true }) },
  response: successFields,
  result: { kind: 'success' },
  roles: everyone,
});

const { account: _account, ...offeringOwnerParams } = ownerParams;

export const listDiskOfferings = defineCommand({
  name: 'listDiskOfferings',
  description: 'Lists disk offerings',
  isAsync: false,
  params: {
    id: param.uuid('the disk offering of this ID'),
    name: param.string('disk offerings of this name'),
    zoneid: param.uuid('disk offerings of this zone', ignored('offerings belong to everybody')),
    storageid: param.uuid('disk offerings that suit this pool', ignored('all do')),
    volumeid: param.uuid('disk offerings this volume could change to', ignored('all do')),
    encrypt: param.boolean('disk offerings that encrypt', matchesNothing('there are none', 'false')),
    ...offeringOwnerParams,
    ...pagingParams,
  },
  response: diskOfferingFields,
  result: { kind: 'list', key: 'diskoffering' },
  roles: everyone,
});

const unlimitedRates = refused('rates of disks are not limited in this release', 'false');

const diskRates = {
  bytesreadrate: param.long('a limit of disks of it', unlimitedRates),
  bytesreadratemax: param.long('a limit of disks of it', unlimitedRates),
  bytesreadratemaxlength: param.long('a limit of disks of it', unlimitedRates),
  byteswriterate: param.long('a limit of disks of it', unlimitedRates),
  byteswriteratemax: param.long('a limit of disks of it', unlimitedRates),
  byteswriteratemaxlength: param.long('a limit of disks of it', unlimitedRates),
  iopsreadrate: param.long('a limit of disks of it', unlimitedRates),
  iopsreadratemax: param.long('a limit of disks of it', unlimitedRates),
  iopsreadratemaxlength: param.long('a limit of disks of it', unlimitedRates),
  iopswriterate: param.long('a limit of disks of it', unlimitedRates),
  iopswriteratemax: param.long('a limit of disks of it', unlimitedRates),
  iopswriteratemaxlength: param.long('a limit of disks of it', unlimitedRates),
};

export const createDiskOffering = defineCommand({
  name: 'createDiskOffering',
  description: 'Makes a disk offering',
  isAsync: false,
  params: {
    name: param.string('the name of the disk offering', { required: true }),
    displaytext: param.string('the description of the disk offering', { required: true, length: 4096 }),
    disksize: param.long('the size of disks of it, GB'),
    customized: param.boolean('whoever makes a disk says its size'),
    storagetype: param.string('shared or local', ignored('disks lie beside the root volume')),
    provisioningtype: param.string('thin', refused('disks are thin', 'thin')),
    tags: param.string('tags of pools', refused('disks lie beside the root volume')),
    domainid: param.list('the domains that may use it', refused('offerings belong to everybody')),
    zoneid: param.list('the zones where it may be used', refused('offerings belong to everybody')),
    encrypt: param.boolean('encrypt disks of it', refused('there is no encryption', 'false')),
    cachemode: param.string('how writes are cached', refused('the host caches nothing', 'none')),
    ...diskRates,
    customizediops: param.boolean('whoever makes a disk says its IOPS', unlimitedRates),
    maxiops: param.long('the most IOPS', unlimitedRates),
    miniops: param.long('the least IOPS', unlimitedRates),
    details: param.map('further details', ignored('nothing reads them')),
    disksizestrictness: param.boolean(
      'disks of it keep their size',
      refused('disks can be resized', 'false'),
    ),
    displayoffering: param.boolean('show it to users', refused('all are shown', 'true')),
    hypervisorsnapshotreserve: param.integer('room kept for snapshots', ignored('there are no snapshots')),
    storagepolicy: param.uuid('a storage policy of vSphere', ignored('there is no vSphere')),
  },
  response: diskOfferingFields,
  result: { kind: 'object', key: 'diskoffering' },
  roles: adminOnly,
});

export const updateDiskOffering = defineCommand({
  name: 'updateDiskOffering',
  description: 'Changes the names and the place in lists of a disk offering',
  isAsync: false,
  params: {
    id: param.uuid('the ID of the disk offering', { required: true }),
    name: param.string('the name of the disk offering'),
    displaytext: param.string('the description of the disk offering', { length: 4096 }),
    sortkey: param.integer('lists show smaller ones first'),
    displayoffering: param.boolean('show it to users', refused('all are shown', 'true')),
    tags: param.string('tags of pools', refused('disks lie beside the root volume')),
    cachemode: param.string('how writes are cached', refused('the host caches nothing', 'none')),
    domainid: param.string('the domains that may use it', refused('offerings belong to everybody')),
    zoneid: param.string('the zones where it may be used', refused('offerings belong to everybody')),
    ...diskRates,
  },
  response: diskOfferingFields,
  result: { kind: 'object', key: 'diskoffering' },
  roles: adminOnly,
});

export const deleteDiskOffering = defineCommand({
  name: 'deleteDiskOffering',
  description: 'Removes a disk offering; disks of it stay',
  isAsync: false,
  params: { id: param.uuid('the disk offering', { required: true }) },
  response: successFields,
  result: { kind: 'success' },
  roles: adminOnly,
});
