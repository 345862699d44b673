import { adminOnly, defineCommand, everyone } from '../command.ts';
import { templateFields } from '../entities/template.ts';
import { templateProbeFields } from '../entities/template-probe.ts';
import { successFields } from '../fields.ts';
import {
  iconFilter,
  ignored,
  matchesNothing,
  ownerParams,
  pagingParams,
  param,
  projectFilter,
  refused,
  tagFilter,
} from '../param.ts';

const kvmOnly = 'it is for other hypervisors';

export const registerTemplate = defineCommand({
  name: 'registerTemplate',
  description: 'Registers a template by its URL; hosts download it themselves when an instance needs it',
  isAsync: false,
  params: {
    name: param.string('the name of the template', { required: true }),
    displaytext: param.string('the description of the template', {
      required: true,
      length: 4096,
    }),
    url: param.string('an http or https URL of the image, or of a metalink that lists its mirrors', {
      required: true,
      length: 2048,
    }),
    format: param.string('QCOW2 or RAW', { required: true }),
    hypervisor: param.string('KVM', { required: true }),
    checksum: param.string(
      '{ALGORITHM}hex of the bytes that are transferred; bare hex is known by its length',
    ),
    directdownload: param.boolean('true: the image goes straight from its source to primary storage'),
    zoneid: param.uuidOrAll('the zone of the template; -1 for every zone'),
    zoneids: param.list('the zones of the template; -1 for every zone'),
    ostypeid: param.uuid('the OS type of the guest'),
    details: param.map('details; HTTP_HEADER:Name sends a header with every request to the source'),
    bits: param.integer('32 or 64'),
    arch: param.string('the CPU architecture; x86_64'),
    templatetag: param.string('the tag hosts must have', { adminOnly: true }),
    templatetype: param.string('USER', refused('templates of users are the only kind', 'user')),
    isdynamicallyscalable: param.boolean('whether instances may be scaled while they run'),
    isextractable: param.boolean('whether users may download the image'),
    isfeatured: param.boolean('whether the template is featured'),
    ispublic: param.boolean('whether everybody may use the template'),
    requireshvm: param.boolean('whether hardware virtualization is needed', ignored('KVM always has it')),
    sshkeyenabled: param.boolean('whether the guest takes SSH keys'),
    passwordenabled: param.boolean('whether the guest takes a password'),
    deployasis: param.boolean('whether to deploy the image as it is', refused(kvmOnly, 'false')),
    isrouting: param.boolean(
      'whether routers are made from it',
      refused('there are no virtual routers', 'false'),
    ),
    account: param.string('the account that will own the template; needs domainid'),
    domainid: param.uuid('the domain of that account'),
    projectid: param.uuidOrAll('the project that will own it', refused('there are no projects')),
  },
  response: templateFields,
  result: { kind: 'list', key: 'template' },
  roles: everyone,
});

export const probeTemplate = defineCommand({
  name: 'probeTemplate',
  description:
    'Own extension: a host looks at a URL or metalink, every mirror of it and the first bytes of the image; registers nothing',
  isAsync: false,
  params: {
    url: param.string('the URL of the image, or of a metalink that lists its mirrors', {
      required: true,
      length: 2048,
    }),
    format: param.string('QCOW2, RAW, VMDK, OVA, VHD, VHDX or ISO; whatever is found when absent'),
    checksum: param.string('the checksum, or the URL of a list that has it'),
    zoneid: param.uuid('the zone whose hosts look; any when absent'),
    details: param.map('as registerTemplate takes them'),
  },
  response: templateProbeFields,
  result: { kind: 'object', key: 'templateprobe' },
  roles: everyone,
});

export const listTemplates = defineCommand({
  name: 'listTemplates',
  description: 'Lists templates, a row per template and zone',
  isAsync: false,
  params: {
    templatefilter: param.string(
      'featured, self, selfexecutable, shared, sharedexecutable, executable, community or all (admin)',
      { required: true },
    ),
    id: param.uuid('the template of this ID'),
    ids: param.uuids('the templates of these IDs'),
    name: param.string('templates of this name'),
    zoneid: param.uuid('templates of this zone'),
    hypervisor: param.string('templates for this hypervisor'),
    details: param.list('what to tell: all or min', ignored('answers are always complete')),
    isready: param.boolean('whether the template can be used'),
    showremoved: param.boolean('removed templates too'),
    showunique: param.boolean('one row per template, whatever its zones'),
    storageid: param.string('templates that have a copy on this storage pool', { adminOnly: true }),
    parenttemplateid: param.uuid(
      'templates that came from this one',
      matchesNothing('no template comes from another'),
    ),
    ...iconFilter,
    ...tagFilter,
    ...projectFilter,
    ...ownerParams,
    ...pagingParams,
  },
  response: templateFields,
  result: { kind: 'list', key: 'template' },
  roles: everyone,
});

export const prepareTemplate = defineCommand({
  name: 'prepareTemplate',
  description:
    'Brings a template to primary storage before it is needed. Answers at once; jobid is an own extension: that job tells how far it is',
  isAsync: false,
  params: {
    templateid: param.uuid('the template', { required: true }),
    zoneid: param.uuid('the zone whose storage pools get it', { required: true }),
    storageid: param.uuid('the only storage pool to bring it to; all of the zone when absent'),
  },
  response: templateFields,
  result: { kind: 'list', key: 'template' },
  roles: adminOnly,
});

export const evictTemplate = defineCommand({
  name: 'evictTemplate',
  description:
    'Own extension: removes the copy of a template or an ISO from one storage pool, when nothing uses it; the template stays',
  isAsync: true,
  params: {
    templateid: param.uuid('the template or ISO', { required: true }),
    storageid: param.uuid('the storage pool', { required: true }),
  },
  response: successFields,
  result: { kind: 'success' },
  roles: adminOnly,
});

export const verifyTemplate = defineCommand({
  name: 'verifyTemplate',
  description:
    'Own extension: has a host read the copy of a template or an ISO on one storage pool or image store, and compares it with what it was',
  isAsync: true,
  params: {
    templateid: param.uuid('the template or ISO', { required: true }),
    storageid: param.uuid('the storage pool or image store', { required: true }),
  },
  response: successFields,
  result: { kind: 'success' },
  roles: adminOnly,
});

export const deleteTemplate = defineCommand({
  name: 'deleteTemplate',
  description: 'Removes a template and its copies on storage pools',
  isAsync: true,
  params: {
    id: param.uuid('the ID of the template', { required: true }),
    forced: param.boolean('remove it although instances use it'),
    zoneid: param.uuidOrAll('the zone to remove it from; all of them when absent or -1'),
  },
  response: successFields,
  result: { kind: 'success' },
  roles: everyone,
});
