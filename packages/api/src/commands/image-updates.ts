import { defineCommand, everyone } from '../command.ts';
import { templateFields } from '../entities/template.ts';
import { templatePermissionFields } from '../entities/template-permission.ts';
import { successFields } from '../fields.ts';
import { ignored, param, refused } from '../param.ts';

/** What can be changed of a template and of an ISO alike. */
const imageChanges = (what: string) => ({
  id: param.uuid(`the ID of the ${what}`, { required: true }),
  name: param.string(`the name of the ${what}`),
  displaytext: param.string(`the description of the ${what}`, { length: 4096 }),
  ostypeid: param.uuid('the OS type of the guest'),
  bootable: param.boolean('whether instances start from it'),
  passwordenabled: param.boolean('whether the guest takes a password'),
  sshkeyenabled: param.boolean('whether the guest takes SSH keys'),
  isdynamicallyscalable: param.boolean('whether instances may be scaled while they run'),
  sortkey: param.integer('lists show smaller ones first'),
  details: param.map(
    'details to set; those that are not named stay, an empty value removes one. HTTP_HEADER:Name sends a header to the source',
  ),
  cleanupdetails: param.boolean('remove all details'),
  format: param.string('the format of the image; only together with url'),
  arch: param.string('the CPU architecture; x86_64'),
  url: param.string(
    'own extension: another source. Copies on pools stay below their disks; new disks get the new image',
    { length: 2048 },
  ),
  checksum: param.string('own extension: the checksum of the image, or the URL of a list that has it'),
  directdownload: param.boolean('own extension: true, hosts download it themselves'),
  requireshvm: param.boolean('whether hardware virtualization is needed', ignored('KVM always has it')),
  isrouting: param.boolean(
    'whether routers are made from it',
    refused('there are no virtual routers', 'false'),
  ),
});

export const updateTemplate = defineCommand({
  name: 'updateTemplate',
  description: 'Changes a template; another url, checksum or header is looked at by a host first',
  isAsync: false,
  params: {
    ...imageChanges('template'),
    templatetag: param.string('the tag hosts must have', { adminOnly: true }),
    templatetype: param.string('USER', refused('templates of users are the only kind', 'user')),
  },
  response: templateFields,
  result: { kind: 'object', key: 'template' },
  roles: everyone,
});

export const updateIso = defineCommand({
  name: 'updateIso',
  description: 'Changes an ISO; another url, checksum or header is looked at by a host first',
  isAsync: false,
  params: imageChanges('ISO'),
  response: templateFields,
  result: { kind: 'object', key: 'iso' },
  roles: everyone,
});

export const copyTemplate = defineCommand({
  name: 'copyTemplate',
  description: 'Makes a template usable in further zones, where hosts download it when an instance needs it',
  isAsync: true,
  params: {
    id: param.uuid('the ID of the template', { required: true }),
    destzoneid: param.uuid('the zone to have it'),
    destzoneids: param.uuids('the zones to have it'),
    sourcezoneid: param.uuid('a zone that has it'),
  },
  response: templateFields,
  result: { kind: 'object', key: 'template' },
  roles: everyone,
});

const permissionChanges = (what: string) => ({
  id: param.uuid(`the ID of the ${what}`, { required: true }),
  op: param.string('add or remove the accounts, or reset: nobody but the owner may use it'),
  accounts: param.list('names of accounts in the domain of its owner'),
  ispublic: param.boolean('whether everybody may use it'),
  isfeatured: param.boolean('whether it is featured', { adminOnly: true }),
  isextractable: param.boolean('whether users may download it', { adminOnly: true }),
  projectids: param.list('projects', refused('there are no projects')),
});

export const updateTemplatePermissions = defineCommand({
  name: 'updateTemplatePermissions',
  description: 'Says who may use a template beside its owner',
  isAsync: false,
  params: permissionChanges('template'),
  response: successFields,
  result: { kind: 'success' },
  roles: everyone,
});

export const updateIsoPermissions = defineCommand({
  name: 'updateIsoPermissions',
  description: 'Says who may use an ISO beside its owner',
  isAsync: false,
  params: permissionChanges('ISO'),
  response: successFields,
  result: { kind: 'success' },
  roles: everyone,
});

export const listTemplatePermissions = defineCommand({
  name: 'listTemplatePermissions',
  description: 'Tells who may use a template',
  isAsync: false,
  params: { id: param.uuid('the ID of the template', { required: true }) },
  response: templatePermissionFields,
  result: { kind: 'object', key: 'templatepermission' },
  roles: everyone,
});

export const listIsoPermissions = defineCommand({
  name: 'listIsoPermissions',
  description: 'Tells who may use an ISO',
  isAsync: false,
  params: { id: param.uuid('the ID of the ISO', { required: true }) },
  response: templatePermissionFields,
  result: { kind: 'object', key: 'templatepermission' },
  roles: everyone,
});
