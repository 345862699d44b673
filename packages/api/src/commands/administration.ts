import { adminOnly, defineCommand, everyone } from '../command.ts';
import { configurationFields } from '../entities/configuration.ts';
import { userFields } from '../entities/user.ts';
import { userKeysFields } from '../entities/user-keys.ts';
import { iconFilter, ownerParams, pagingParams, param, refused } from '../param.ts';

const scopes = {
  accountid: param.uuid('the value for this account'),
  clusterid: param.uuid('the value for this cluster'),
  domainid: param.uuid('the value for this domain and those below it'),
  imagestoreuuid: param.uuid(
    'the value for this image store',
    refused('image stores have no settings of their own'),
  ),
  storageid: param.uuid('the value for this storage pool'),
  zoneid: param.uuid('the value for this zone'),
};

export const listConfigurations = defineCommand({
  name: 'listConfigurations',
  description: 'Lists settings',
  isAsync: false,
  params: {
    name: param.string('the setting of this name'),
    category: param.string('settings of this category'),
    group: param.string('settings of this group'),
    subgroup: param.string('settings of this subgroup'),
    parent: param.string('settings under this one'),
    ...scopes,
    ...pagingParams,
  },
  response: configurationFields,
  result: { kind: 'list', key: 'configuration' },
  roles: adminOnly,
});

export const updateConfiguration = defineCommand({
  name: 'updateConfiguration',
  description: 'Changes a setting',
  isAsync: false,
  params: {
    name: param.string('the name of the setting', { required: true }),
    value: param.string('the new value; empty or absent: the default', { length: 4096 }),
    ...scopes,
  },
  response: configurationFields,
  result: { kind: 'object', key: 'configuration' },
  roles: adminOnly,
});

export const getUser = defineCommand({
  name: 'getUser',
  description: 'Finds the user of an API key',
  isAsync: false,
  params: { userapikey: param.string('the API key', { required: true }) },
  response: userFields,
  result: { kind: 'object', key: 'user' },
  roles: adminOnly,
});

export const listUsers = defineCommand({
  name: 'listUsers',
  description: 'Lists users',
  isAsync: false,
  params: {
    id: param.uuid('the user of this ID'),
    username: param.string('the user of this name'),
    accounttype: param.integer('users of accounts of this type: 0 user, 1 root admin, 2 domain admin'),
    state: param.string('users in this state'),
    ...iconFilter,
    ...ownerParams,
    ...pagingParams,
  },
  response: userFields,
  result: { kind: 'list', key: 'user' },
  roles: everyone,
});

export const registerUserKeys = defineCommand({
  name: 'registerUserKeys',
  description: 'Gives a user a new pair of API keys; the old pair ends',
  isAsync: false,
  params: { id: param.uuid('the ID of the user', { required: true }) },
  response: userKeysFields,
  result: { kind: 'object', key: 'userkeys' },
  roles: everyone,
});

export const getUserKeys = defineCommand({
  name: 'getUserKeys',
  description: 'Tells the API keys of a user',
  isAsync: false,
  params: { id: param.uuid('the ID of the user', { required: true }) },
  response: userKeysFields,
  result: { kind: 'object', key: 'userkeys' },
  roles: everyone,
});
