import { defineCommand, everyone } from '../command.ts';
import { createdKeyPairFields, sshKeyPairFields } from '../entities/ssh-key-pair.ts';
import { templateFields } from '../entities/template.ts';
import { userDataFields, userDataLength } from '../entities/user-data.ts';
import { successFields } from '../fields.ts';
import { ownerParams, pagingParams, param, projectFilter, refused } from '../param.ts';

const owner = {
  account: param.string('the account that owns it; needs domainid'),
  domainid: param.uuid('the domain of that account'),
  projectid: param.uuidOrAll('the project that owns it', refused('there are no projects')),
};

export const registerSSHKeyPair = defineCommand({
  name: 'registerSSHKeyPair',
  description: 'Registers the public half of an SSH key pair under a name',
  isAsync: false,
  params: {
    name: param.string('the name of the key pair', { required: true }),
    publickey: param.string('the public key, as a line of authorized_keys or Base64 of one', {
      required: true,
      length: 5120,
    }),
    ...owner,
  },
  response: sshKeyPairFields,
  result: { kind: 'object', key: 'keypair' },
  roles: everyone,
});

export const createSSHKeyPair = defineCommand({
  name: 'createSSHKeyPair',
  description: 'Makes an SSH key pair and tells its private half, once',
  isAsync: false,
  params: { name: param.string('the name of the key pair', { required: true }), ...owner },
  response: createdKeyPairFields,
  result: { kind: 'object', key: 'keypair' },
  roles: everyone,
});

export const listSSHKeyPairs = defineCommand({
  name: 'listSSHKeyPairs',
  description: 'Lists SSH key pairs',
  isAsync: false,
  params: {
    id: param.uuid('the key pair of this ID'),
    name: param.string('the key pair of this name'),
    fingerprint: param.string('the key pair with this fingerprint'),
    ...projectFilter,
    ...ownerParams,
    ...pagingParams,
  },
  response: sshKeyPairFields,
  result: { kind: 'list', key: 'sshkeypair' },
  roles: everyone,
});

export const deleteSSHKeyPair = defineCommand({
  name: 'deleteSSHKeyPair',
  description: 'Deletes an SSH key pair; instances that have it keep it',
  isAsync: false,
  params: { name: param.string('the name of the key pair', { required: true }), ...owner },
  response: successFields,
  result: { kind: 'success' },
  roles: everyone,
});

export const registerUserData = defineCommand({
  name: 'registerUserData',
  description: 'Stores user data under a name',
  isAsync: false,
  params: {
    name: param.string('the name of the user data', { required: true }),
    userdata: param.string('the user data, Base64', { required: true, length: userDataLength }),
    params: param.string('the names of its variables, with commas between them'),
    ...owner,
  },
  // CloudStack describes a success and answers the entity
  response: { ...successFields, ...userDataFields },
  result: { kind: 'object', key: 'userdata' },
  roles: everyone,
});

export const listUserData = defineCommand({
  name: 'listUserData',
  description: 'Lists stored user data',
  isAsync: false,
  params: {
    id: param.uuid('the user data of this ID'),
    name: param.string('the user data of this name'),
    ...projectFilter,
    ...ownerParams,
    ...pagingParams,
  },
  response: userDataFields,
  result: { kind: 'list', key: 'userdata' },
  roles: everyone,
});

export const deleteUserData = defineCommand({
  name: 'deleteUserData',
  description: 'Deletes stored user data that no template and no instance uses',
  isAsync: false,
  params: { id: param.uuid('the ID of the user data', { required: true }), ...owner },
  response: successFields,
  result: { kind: 'success' },
  roles: everyone,
});

export const linkUserDataToTemplate = defineCommand({
  name: 'linkUserDataToTemplate',
  description: 'Links stored user data to a template, or takes the link away when userdataid is absent',
  isAsync: false,
  params: {
    templateid: param.uuid('the ID of the template'),
    isoid: param.uuid('the ID of the ISO'),
    userdataid: param.uuid('the ID of the user data'),
    userdatapolicy: param.string('ALLOWOVERRIDE (when absent), APPEND or DENYOVERRIDE'),
  },
  response: templateFields,
  result: { kind: 'object', key: 'template' },
  roles: everyone,
});
