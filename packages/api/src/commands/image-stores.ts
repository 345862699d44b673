import { adminOnly, defineCommand, everyone } from '../command.ts';
import { extractionFields, imageStoreFields } from '../entities/image-store.ts';
import { systemVmFields } from '../entities/system-vm.ts';
import { successFields } from '../fields.ts';
import { matchesNothing, pagingParams, param, refused } from '../param.ts';

export const addImageStore = defineCommand({
  name: 'addImageStore',
  description: 'Adds secondary storage, to which images go that hosts do not download themselves',
  isAsync: false,
  params: {
    provider: param.string('NFS, or Local: a directory of the machines that look after it', {
      required: true,
    }),
    name: param.string('the name of the image store; default: its URL'),
    url: param.string('nfs://SERVER/export, or file:///srv/images for a directory', { length: 2048 }),
    zoneid: param.uuid('the zone of the image store; needed when there are several'),
    details: param.map('nfs.mount.options: how an NFS share is mounted'),
  },
  response: imageStoreFields,
  result: { kind: 'object', key: 'imagestore' },
  roles: adminOnly,
});

export const listImageStores = defineCommand({
  name: 'listImageStores',
  description: 'Lists image stores, which are secondary storage',
  isAsync: false,
  params: {
    id: param.uuid('the image store of this ID'),
    name: param.string('image stores of this name'),
    protocol: param.string('image stores reached like this: nfs, file'),
    provider: param.string('image stores of this provider: NFS, Local'),
    readonly: param.boolean('image stores to which nothing is written, or the others'),
    zoneid: param.uuid('image stores of this zone'),
    ...pagingParams,
  },
  response: imageStoreFields,
  result: { kind: 'list', key: 'imagestore' },
  roles: adminOnly,
});

export const updateImageStore = defineCommand({
  name: 'updateImageStore',
  description: 'Says whether images may still go to an image store',
  isAsync: false,
  params: {
    id: param.uuid('the image store', { required: true }),
    readonly: param.boolean('true: nothing more is written to it, what is there can be used'),
    name: param.string('another name'),
    capacitybytes: param.long(
      'the capacity to assume',
      refused('the machines that look after it measure it'),
    ),
  },
  response: imageStoreFields,
  result: { kind: 'object', key: 'imagestore' },
  roles: adminOnly,
});

export const deleteImageStore = defineCommand({
  name: 'deleteImageStore',
  description:
    'Takes an image store out of the cloud, with the images on it, unless one of them is nowhere else',
  isAsync: false,
  params: { id: param.uuid('the image store', { required: true }) },
  response: successFields,
  result: { kind: 'success' },
  roles: adminOnly,
});

const extraction = (what: string) => ({
  id: param.uuid(`the ID of the ${what}`, { required: true }),
  mode: param.string('HTTP_DOWNLOAD', { required: true }),
  url: param.string('where to upload it', refused('images are offered for download, not uploaded')),
  zoneid: param.uuid('the zone to take it from'),
});

export const extractTemplate = defineCommand({
  name: 'extractTemplate',
  description:
    'Offers a template for download from an image store, or from a storage pool that has it, for some time',
  isAsync: true,
  params: extraction('template'),
  response: extractionFields,
  result: { kind: 'object', key: 'template' },
  roles: everyone,
});

export const extractIso = defineCommand({
  name: 'extractIso',
  description:
    'Offers an ISO for download from an image store, or from a storage pool that has it, for some time',
  isAsync: true,
  params: extraction('ISO'),
  response: extractionFields,
  result: { kind: 'object', key: 'template' },
  roles: everyone,
});

const none = matchesNothing('machines that look after image stores have none');

export const listSystemVms = defineCommand({
  name: 'listSystemVms',
  description:
    'Lists the machines that look after image stores, as the secondary storage VMs that clients expect',
  isAsync: false,
  params: {
    id: param.uuid('the system instance of this ID'),
    name: param.string('system instances of this name'),
    hostid: param.uuid('system instances of this host'),
    podid: param.uuid('system instances of this pod'),
    state: param.string('system instances in this state: Running, Stopped'),
    storageid: param.uuid('system instances on this storage pool', none),
    systemvmtype: param.string('secondarystoragevm'),
    zoneid: param.uuid('system instances of this zone'),
    ...pagingParams,
  },
  response: systemVmFields,
  result: { kind: 'list', key: 'systemvm' },
  roles: adminOnly,
});
