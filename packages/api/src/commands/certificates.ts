import { adminOnly, defineCommand } from '../command.ts';
import { type FieldSpecs, field, jobFields } from '../fields.ts';
import { pagingParams, param, refused } from '../param.ts';

const hostStatusFields = {
  hostid: field.string('the ID of the host'),
  hostname: field.string('the name of the host'),
  status: field.string('UPLOADED, REVOKED, …'),
  details: field.string('what is to be known of it'),
  ...jobFields,
} as const satisfies FieldSpecs;

const { jobid: _, jobstatus: __, ...hostStatus } = hostStatusFields;

const certificateFields = {
  id: field.string('the ID of the certificate'),
  alias: field.string('the name of the certificate'),
  zoneid: field.string('the ID of the zone'),
  zonename: field.string('the name of the zone'),
  hypervisor: field.string('the hypervisor'),
  version: field.string('the version of the certificate'),
  subject: field.string('whose it is'),
  issuer: field.string('who issued it'),
  validity: field.string('from when to when it is valid'),
  serialnum: field.string('its serial number'),
  hostsmap: field.rows('the hosts that trust it', hostStatus),
  ...jobFields,
} as const satisfies FieldSpecs;

const id = param.uuid('the certificate', { required: true });
const wholeZone = refused('a certificate holds for all hosts of its zone');

export const uploadTemplateDirectDownloadCertificate = defineCommand({
  name: 'uploadTemplateDirectDownloadCertificate',
  description: 'Lets hosts of a zone trust https sources of images that are signed by this certificate',
  isAsync: false,
  params: {
    certificate: param.string('the certificate: PEM, or the Base64 of its DER', {
      required: true,
      length: 65_535,
    }),
    name: param.string('a name for it', { required: true }),
    hypervisor: param.string('KVM', { required: true }),
    zoneid: param.uuid('the zone', { required: true }),
    hostid: param.uuid('the only host', wholeZone),
  },
  response: certificateFields,
  result: { kind: 'object', key: 'uploadtemplatedirectdownloadcertificate' },
  roles: adminOnly,
});

export const listTemplateDirectDownloadCertificates = defineCommand({
  name: 'listTemplateDirectDownloadCertificates',
  description: 'Lists the certificates that sources of images may be signed by',
  isAsync: false,
  params: {
    id: param.uuid('the certificate of this ID'),
    zoneid: param.uuid('certificates of this zone'),
    listhosts: param.boolean('tell the hosts too'),
    ...pagingParams,
  },
  response: certificateFields,
  result: { kind: 'list', key: 'directdownloadcertificate' },
  roles: adminOnly,
});

export const revokeTemplateDirectDownloadCertificate = defineCommand({
  name: 'revokeTemplateDirectDownloadCertificate',
  description: 'Takes back the trust in a certificate',
  isAsync: false,
  params: {
    zoneid: param.uuid('the zone', { required: true }),
    id: param.uuid('the certificate'),
    name: param.string('its name, instead of its ID'),
    hypervisor: param.string('KVM'),
    hostid: param.uuid('the only host', wholeZone),
  },
  response: hostStatusFields,
  result: { kind: 'list', key: 'revoketemplatedirectdownloadcertificate' },
  roles: adminOnly,
});

export const provisionTemplateDirectDownloadCertificate = defineCommand({
  name: 'provisionTemplateDirectDownloadCertificate',
  description: 'Tells whether a host trusts a certificate: hosts of its zone always do',
  isAsync: false,
  params: { id, hostid: param.uuid('the host', { required: true }) },
  response: hostStatusFields,
  result: { kind: 'object', key: 'provisiontemplatedirectdownloadcertificate' },
  roles: adminOnly,
});
