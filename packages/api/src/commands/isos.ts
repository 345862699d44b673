import { defineCommand, everyone } from '../command.ts';
import { templateFields } from '../entities/template.ts';
import { virtualMachineFields } from '../entities/virtual-machine.ts';
import { successFields } from '../fields.ts';
import { iconFilter, ownerParams, pagingParams, param, projectFilter, refused, tagFilter } from '../param.ts';

const machineResult = { kind: 'object', key: 'virtualmachine' } as const;

export const registerIso = defineCommand({
  name: 'registerIso',
  description: 'Registers an ISO by its URL; hosts download it themselves when an instance needs it',
  isAsync: false,
  params: {
    name: param.string('the name of the ISO', { required: true }),
    displaytext: param.string('the description of the ISO', { required: true, length: 4096 }),
    url: param.string('an http or https URL of the ISO, or of a metalink that lists its mirrors', {
      required: true,
      length: 2048,
    }),
    zoneid: param.uuidOrAll('the zone of the ISO; -1 for every zone', { required: true }),
    ostypeid: param.uuid('the OS type of the guest'),
    bootable: param.boolean('whether instances start from it; true when absent'),
    checksum: param.string(
      '{ALGORITHM}hex of the bytes that are transferred; bare hex is known by its length',
    ),
    directdownload: param.boolean('true: the ISO goes straight from its source to primary storage'),
    details: param.map(
      'own extension: details; HTTP_HEADER:Name sends a header with every request to the source',
    ),
    arch: param.string('the CPU architecture; x86_64'),
    isdynamicallyscalable: param.boolean('whether instances may be scaled while they run'),
    isextractable: param.boolean('whether users may download the ISO'),
    isfeatured: param.boolean('whether the ISO is featured'),
    ispublic: param.boolean('whether everybody may use the ISO'),
    passwordenabled: param.boolean(
      'whether the guest takes a password',
      refused('what boots from an ISO takes no password', 'false'),
    ),
    imagestoreuuid: param.string(
      'the image store',
      refused('the image store of the zone with most space is taken'),
    ),
    account: param.string('the account that will own the ISO; needs domainid'),
    domainid: param.uuid('the domain of that account'),
    projectid: param.uuidOrAll('the project that will own it', refused('there are no projects')),
  },
  response: templateFields,
  result: { kind: 'list', key: 'iso' },
  roles: everyone,
});

export const listIsos = defineCommand({
  name: 'listIsos',
  description: 'Lists ISOs, a row per ISO and zone',
  isAsync: false,
  params: {
    isofilter: param.string(
      'featured, self, selfexecutable, shared, sharedexecutable, executable, community or all (admin); selfexecutable when absent',
    ),
    id: param.uuid('the ISO of this ID'),
    name: param.string('ISOs of this name'),
    zoneid: param.uuid('ISOs of this zone'),
    bootable: param.boolean('ISOs that instances start from, or the others'),
    ispublic: param.boolean('ISOs that everybody may use, or the others'),
    hypervisor: param.string('ISOs for this hypervisor'),
    isready: param.boolean('whether the ISO can be used'),
    showremoved: param.boolean('removed ISOs too'),
    showunique: param.boolean('one row per ISO, whatever its zones'),
    storageid: param.string('ISOs that have a copy on this storage pool', { adminOnly: true }),
    ...iconFilter,
    ...tagFilter,
    ...projectFilter,
    ...ownerParams,
    ...pagingParams,
  },
  response: templateFields,
  result: { kind: 'list', key: 'iso' },
  roles: everyone,
});

export const deleteIso = defineCommand({
  name: 'deleteIso',
  description: 'Removes an ISO and its copies on storage pools',
  isAsync: true,
  params: {
    id: param.uuid('the ID of the ISO', { required: true }),
    zoneid: param.uuidOrAll('the zone to remove it from; all of them when absent or -1'),
  },
  response: successFields,
  result: { kind: 'success' },
  roles: everyone,
});

export const attachIso = defineCommand({
  name: 'attachIso',
  description:
    'Puts an ISO into the CD-ROM drive of an instance, also while it runs; its host downloads it first',
  isAsync: true,
  params: {
    id: param.uuid('the ID of the ISO', { required: true }),
    virtualmachineid: param.uuid('the ID of the instance', { required: true }),
    forced: param.boolean('instead of the ISO that is there, also when the guest has locked the drive'),
  },
  response: virtualMachineFields,
  result: machineResult,
  roles: everyone,
});

export const detachIso = defineCommand({
  name: 'detachIso',
  description: 'Takes the ISO out of the CD-ROM drive of an instance, also while it runs',
  isAsync: true,
  params: {
    virtualmachineid: param.uuid('the ID of the instance', { required: true }),
    forced: param.boolean('also when the guest has locked the drive'),
  },
  response: virtualMachineFields,
  result: machineResult,
  roles: everyone,
});
