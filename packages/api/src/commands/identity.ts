import { adminOnly, defineCommand, everyone, type Role } from '../command.ts';
import { accountFields } from '../entities/account.ts';
import { domainFields } from '../entities/domain.ts';
import { roleFields, rolePermissionFields } from '../entities/role.ts';
import { userFields } from '../entities/user.ts';
import { successFields } from '../fields.ts';
import { iconFilter, ignored, ownerParams, pagingParams, param, refused } from '../param.ts';

const administrators: readonly Role[] = ['admin', 'domainadmin'];
const { account: _account, ...domainParams } = ownerParams;
const success = { response: successFields, result: { kind: 'success' } } as const;
const oneAccount = { response: accountFields, result: { kind: 'object', key: 'account' } } as const;
const oneDomain = { response: domainFields, result: { kind: 'object', key: 'domain' } } as const;
const oneUser = { response: userFields, result: { kind: 'object', key: 'user' } } as const;
const oneRole = { response: roleFields, result: { kind: 'object', key: 'role' } } as const;
const networkdomain = param.string('the DNS domain of its networks', ignored('networks have one for all'));
const forClouds = ignored('there is one cloud');
const noDetails = ignored('every field is answered anyway');
const id = (of: string) => ({ id: param.uuid(`the ID of the ${of}`, { required: true }) });

export const createDomain = defineCommand({
  name: 'createDomain',
  description: 'Makes a domain below another one',
  isAsync: false,
  params: {
    name: param.string('the name of the domain', { required: true }),
    parentdomainid: param.uuid('the domain above; the caller’s own when absent'),
    domainid: param.string('the ID of the new domain, of another cloud', forClouds),
    networkdomain,
  },
  ...oneDomain,
  roles: administrators,
});

export const listDomains = defineCommand({
  name: 'listDomains',
  description: 'Lists domains',
  isAsync: false,
  params: {
    id: param.uuid('the domain of this ID'),
    name: param.string('domains of this name'),
    level: param.integer('domains so deep below ROOT'),
    listall: param.boolean('everything the caller may see, not only the own domain'),
    details: param.list('which details to answer', noDetails),
    ...iconFilter,
    ...pagingParams,
  },
  response: domainFields,
  result: { kind: 'list', key: 'domain' },
  roles: everyone,
});

export const listDomainChildren = defineCommand({
  name: 'listDomainChildren',
  description: 'Lists the domains below one',
  isAsync: false,
  params: {
    id: param.uuid('the domain above; the caller’s own when absent'),
    name: param.string('domains of this name'),
    isrecursive: param.boolean('also those further down'),
    listall: param.boolean('everything the caller may see', ignored('they are listed anyway')),
    ...iconFilter,
    ...pagingParams,
  },
  response: domainFields,
  result: { kind: 'list', key: 'domain' },
  roles: administrators,
});

export const updateDomain = defineCommand({
  name: 'updateDomain',
  description: 'Renames a domain',
  isAsync: false,
  params: { ...id('domain'), name: param.string('the new name'), networkdomain },
  ...oneDomain,
  roles: administrators,
});

export const deleteDomain = defineCommand({
  name: 'deleteDomain',
  description: 'Deletes a domain',
  isAsync: true,
  params: { ...id('domain'), cleanup: param.boolean('also its accounts and the domains below') },
  ...success,
  roles: administrators,
});

const person = {
  email: param.string('the e-mail address', { required: true }),
  firstname: param.string('the first name', { required: true }),
  lastname: param.string('the last name', { required: true }),
  password: param.string('the password: 8 characters or more', { required: true, length: 1024 }),
  username: param.string('the name to log in with', { required: true }),
  timezone: param.string('the time zone'),
  userid: param.string('the ID of the new user, of another cloud', forClouds),
};

export const createAccount = defineCommand({
  name: 'createAccount',
  description: 'Makes an account with its first user',
  isAsync: false,
  params: {
    ...person,
    account: param.string('the name of the account; that of the user when absent'),
    accounttype: param.integer('0 user, 1 root admin, 2 domain admin; needed without roleid'),
    roleid: param.uuid('the role; that of the account’s type when absent'),
    domainid: param.uuid('the domain; the caller’s own when absent'),
    accountid: param.string('the ID of the new account, of another cloud', forClouds),
    accountdetails: param.map('further details', ignored('nothing reads them')),
    networkdomain,
  },
  ...oneAccount,
  roles: administrators,
});

export const listAccounts = defineCommand({
  name: 'listAccounts',
  description: 'Lists accounts',
  isAsync: false,
  params: {
    id: param.uuid('the account of this ID'),
    name: param.string('accounts of this name'),
    accounttype: param.integer('accounts of this type: 0 user, 1 root admin, 2 domain admin'),
    state: param.string('accounts in this state: enabled, disabled or locked'),
    iscleanuprequired: param.boolean('accounts that wait for their cleaning', ignored('there are none')),
    details: param.list('which details to answer', noDetails),
    ...iconFilter,
    ...domainParams,
    ...pagingParams,
  },
  response: accountFields,
  result: { kind: 'list', key: 'account' },
  roles: everyone,
});

const whichAccount = {
  id: param.uuid('the ID of the account'),
  account: param.string('the name of the account, with domainid, instead of its ID'),
  domainid: param.uuid('the domain of the account'),
};

export const updateAccount = defineCommand({
  name: 'updateAccount',
  description: 'Renames an account, or gives it another role',
  isAsync: false,
  params: {
    ...whichAccount,
    newname: param.string('the new name'),
    roleid: param.uuid('the new role, of the same type'),
    accountdetails: param.map('further details', ignored('nothing reads them')),
    networkdomain,
  },
  ...oneAccount,
  roles: administrators,
});

export const enableAccount = defineCommand({
  name: 'enableAccount',
  description: 'Lets the users of an account in again',
  isAsync: false,
  params: whichAccount,
  ...oneAccount,
  roles: administrators,
});

export const disableAccount = defineCommand({
  name: 'disableAccount',
  description: 'Keeps the users of an account out, at once; its instances go on',
  isAsync: true,
  params: {
    ...whichAccount,
    lock: param.boolean('lock it instead: the same under another name', { required: true }),
  },
  ...oneAccount,
  roles: administrators,
});

export const lockAccount = defineCommand({
  name: 'lockAccount',
  description: 'Keeps the users of an account out, at once; its instances go on',
  isAsync: false,
  params: {
    account: param.string('the name of the account', { required: true }),
    domainid: param.uuid('the domain of the account', { required: true }),
  },
  ...oneAccount,
  roles: administrators,
});

export const deleteAccount = defineCommand({
  name: 'deleteAccount',
  description: 'Deletes an account that has no instances, disks and images any more, with its users and keys',
  isAsync: true,
  params: id('account'),
  ...success,
  roles: administrators,
});

export const createUser = defineCommand({
  name: 'createUser',
  description: 'Makes a further user of an account',
  isAsync: false,
  params: {
    ...person,
    account: param.string('the account', { required: true }),
    domainid: param.uuid('the domain of the account; the caller’s own when absent'),
  },
  ...oneUser,
  roles: administrators,
});

export const updateUser = defineCommand({
  name: 'updateUser',
  description: 'Changes a user; one’s own password needs the current one beside it',
  isAsync: false,
  params: {
    ...id('user'),
    email: param.string('the e-mail address'),
    firstname: param.string('the first name'),
    lastname: param.string('the last name'),
    username: param.string('the name to log in with'),
    timezone: param.string('the time zone'),
    password: param.string('the new password: 8 characters or more', { length: 1024 }),
    currentpassword: param.string('the password until now', { length: 1024 }),
    mandate2fa: param.boolean('demand a second factor', refused('there is no second factor', 'false')),
    userapikey: param.string('the API key', refused('registerUserKeys makes keys that nobody chose')),
    usersecretkey: param.string('the secret key', refused('registerUserKeys makes keys that nobody chose')),
  },
  ...oneUser,
  roles: everyone,
});

export const enableUser = defineCommand({
  name: 'enableUser',
  description: 'Lets a user in again',
  isAsync: false,
  params: id('user'),
  ...oneUser,
  roles: administrators,
});

export const disableUser = defineCommand({
  name: 'disableUser',
  description: 'Keeps a user out, at once',
  isAsync: true,
  params: id('user'),
  ...oneUser,
  roles: administrators,
});

export const lockUser = defineCommand({
  name: 'lockUser',
  description: 'Keeps a user out, at once',
  isAsync: false,
  params: id('user'),
  ...oneUser,
  roles: administrators,
});

export const deleteUser = defineCommand({
  name: 'deleteUser',
  description: 'Deletes a user',
  isAsync: false,
  params: id('user'),
  ...success,
  roles: administrators,
});

export const listRoles = defineCommand({
  name: 'listRoles',
  description: 'Lists roles',
  isAsync: false,
  params: {
    id: param.uuid('the role of this ID'),
    name: param.string('the role of this name'),
    type: param.string('roles of this type: Admin, DomainAdmin or User'),
    ...pagingParams,
  },
  response: roleFields,
  result: { kind: 'list', key: 'role' },
  roles: administrators,
});

export const createRole = defineCommand({
  name: 'createRole',
  description: 'Makes a role; without rules it may call nothing',
  isAsync: false,
  params: {
    name: param.string('the name of the role', { required: true }),
    type: param.string('Admin, DomainAdmin or User: what its rules are bounded by; needed without roleid'),
    roleid: param.uuid('a role whose type and rules are taken over'),
    description: param.string('what the role is for'),
    ispublic: param.boolean('whether domain admins see it', ignored('they see every role')),
  },
  ...oneRole,
  roles: adminOnly,
});

export const updateRole = defineCommand({
  name: 'updateRole',
  description: 'Renames a role',
  isAsync: false,
  params: {
    ...id('role'),
    name: param.string('the new name'),
    description: param.string('what the role is for'),
    type: param.string('the new type', refused('a role keeps its type: make another one')),
    ispublic: param.boolean('whether domain admins see it', ignored('they see every role')),
  },
  ...oneRole,
  roles: adminOnly,
});

export const deleteRole = defineCommand({
  name: 'deleteRole',
  description: 'Deletes a role that no account has',
  isAsync: false,
  params: id('role'),
  ...success,
  roles: adminOnly,
});

export const listRolePermissions = defineCommand({
  name: 'listRolePermissions',
  description:
    'Lists the rules of roles in their order: the first that fits decides, what none fits is denied',
  isAsync: false,
  params: { roleid: param.uuid('the rules of this role'), ...pagingParams },
  response: rolePermissionFields,
  result: { kind: 'list', key: 'rolepermission' },
  roles: administrators,
});

export const createRolePermission = defineCommand({
  name: 'createRolePermission',
  description: 'Adds a rule to a role, behind all others',
  isAsync: false,
  params: {
    roleid: param.uuid('the role', { required: true }),
    rule: param.string('a command, or the beginning of its name and *', { required: true }),
    permission: param.string('allow or deny', { required: true }),
    description: param.string('what the rule is for'),
  },
  response: rolePermissionFields,
  result: { kind: 'object', key: 'rolepermission' },
  roles: adminOnly,
});

export const updateRolePermission = defineCommand({
  name: 'updateRolePermission',
  description: 'Changes the permission of a rule, or the order of all rules of a role',
  isAsync: false,
  params: {
    roleid: param.uuid('the role', { required: true }),
    ruleid: param.uuid('the rule whose permission changes'),
    permission: param.string('allow or deny, with ruleid'),
    ruleorder: param.uuids('the IDs of all rules of the role, in their new order'),
  },
  ...success,
  roles: adminOnly,
});

export const deleteRolePermission = defineCommand({
  name: 'deleteRolePermission',
  description: 'Deletes a rule',
  isAsync: false,
  params: id('rule'),
  ...success,
  roles: adminOnly,
});
