import { type FieldSpecs, field, jobFields } from '../fields.ts';

/** SSH key pair: names and types as CloudStack's `listApis` has them. */
export const sshKeyPairFields = {
  id: field.string('the ID of the key pair'),
  name: field.string('the name of the key pair'),
  fingerprint: field.string('the MD5 fingerprint of the public key'),
  account: field.string('the account that owns the key pair'),
  domain: field.string('the domain of the key pair'),
  domainid: field.string('the ID of the domain of the key pair'),
  hasannotations: field.boolean('whether there are annotations'),
  project: field.string('the project of the key pair'),
  projectid: field.string('the ID of the project of the key pair'),
  ...jobFields,
} as const satisfies FieldSpecs;

/** What only the answer to createSSHKeyPair has. */
export const createdKeyPairFields = {
  ...sshKeyPairFields,
  privatekey: field.string('the private key; it is kept nowhere and never told again'),
} as const satisfies FieldSpecs;
