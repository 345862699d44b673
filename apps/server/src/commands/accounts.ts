import { ApiError, entityNotFound, invalidParameter, missingParameter, specs } from '@millrace/api';
import { hashPassword } from '../domain/password.ts';
import { roleTypes } from '../domain/role-rules.ts';
import {
  belongingsOf,
  endSessions,
  insertAccount,
  isAccountNameTaken,
  type LockedAccount,
  listAccountRows,
  lockAccountRow,
  removeAccounts,
} from '../store/accounts.ts';
import type { Executor } from '../store/database.ts';
import { type EventType, recordEvent } from '../store/events.ts';
import type { OwnerScope } from '../store/owner-scope.ts';
import { everything } from '../store/paging.ts';
import { builtInRole, findRole, type RoleRow } from '../store/roles.ts';
import { findDomain, insertUser, isUsernameTaken } from '../store/users.ts';
import { demandPowerOver } from './authority.ts';
import { type Caller, implement } from './command.ts';
import { inUse, lockedWithin } from './domains.ts';
import { pageFrom } from './page.ts';
import { accountEntities } from './responses/identity.ts';
import { ownDomainReach, reachableDomain, reachOf } from './scope.ts';
import { personName, readPassword, readUsername } from './user-fields.ts';

export const createAccount = implement(specs.createAccount, async ({ params, database, caller }) => {
  const username = readUsername(params.username);
  const name = readUsername(params.account ?? username, 'account');
  const password = await hashPassword(readPassword(params.password));
  return database.transaction().execute(async (trx) => {
    const role = await roleFor(trx, params);
    const type = roleTypes[role.role_type]?.accountType ?? 0;
    demandPowerOver(caller, { rules: role.rules, accountType: type }, `accounts with the role ${role.name}`);
    const domain = await lockedWithin(trx, caller, params.domainid ?? caller.domainUuid, 'domainid');
    if (type === 1 && domain.path !== '/') {
      throw invalidParameter('domainid', 'accounts of root admins belong to the ROOT domain');
    }
    if (await isAccountNameTaken(trx, domain.id, name)) {
      throw invalidParameter('account', `there is an account ${name} in the domain already`);
    }
    if (await isUsernameTaken(trx, domain.id, username)) {
      throw invalidParameter('username', `there is a user ${username} in the domain already`);
    }
    const roleId = role.account_type === null ? role.id : undefined;
    const account = await insertAccount(trx, { name, type, domainId: domain.id, roleId });
    await insertUser(trx, {
      username,
      password,
      accountId: account.id,
      firstname: personName('firstname', params.firstname),
      lastname: personName('lastname', params.lastname),
      email: personName('email', params.email),
      timezone: params.timezone,
    });
    await note(trx, caller, account, 'ACCOUNT.CREATE', `made account ${name} with the role ${role.name}`);
    return { object: await loadAccount(trx, account.uuid) };
  });
});

/** @throws ApiError 431 */
async function roleFor(
  executor: Executor,
  params: { readonly roleid?: string | undefined; readonly accounttype?: number | undefined },
): Promise<RoleRow> {
  if (params.roleid === undefined && params.accounttype === undefined) {
    throw missingParameter('createAccount', 'roleid');
  }
  const role =
    params.roleid === undefined
      ? await builtInRole(executor, params.accounttype ?? 0)
      : await findRole(executor, params.roleid);
  if (!role) {
    throw params.roleid === undefined
      ? invalidParameter('accounttype', 'must be 0 (user), 1 (root admin) or 2 (domain admin)')
      : entityNotFound('roleid', params.roleid);
  }
  const { accounttype } = params;
  if (accounttype !== undefined && roleTypes[role.role_type]?.accountType !== accounttype) {
    throw invalidParameter('accounttype', `does not fit the role ${role.name}: leave it out`);
  }
  return role;
}

export const listAccounts = implement(specs.listAccounts, async ({ params, database, caller }) => {
  const { id, name, accounttype, state, keyword } = params;
  const filter = {
    scope: await accountScope(database, caller, params),
    uuid: id,
    name,
    type: accounttype,
    state,
    keyword,
  };
  const { rows, count } = await listAccountRows(database, filter, await pageFrom(database, params));
  return { list: await accountEntities(database, rows), count };
});

/** The accounts of a domain, the caller's own when none is named; users see their own. */
async function accountScope(
  executor: Executor,
  caller: Caller,
  params: {
    readonly id?: string | undefined;
    readonly domainid?: string | undefined;
    readonly isrecursive?: boolean | undefined;
    readonly listall?: boolean | undefined;
  },
): Promise<OwnerScope> {
  if (caller.role === 'user') return reachOf(caller);
  if (params.domainid !== undefined) {
    const { path } = await reachableDomain(executor, caller, params.domainid);
    return { kind: 'domain', path, recursive: params.isrecursive === true };
  }
  if (params.id !== undefined || params.listall === true) return reachOf(caller);
  return { kind: 'domain', path: caller.domainPath, recursive: params.isrecursive === true };
}

export const updateAccount = implement(specs.updateAccount, async ({ params, database, caller }) =>
  database.transaction().execute(async (trx) => {
    const account = await lockedAccount(trx, caller, params);
    const changes: { account_name?: string; role_id?: number } = {};
    if (params.newname !== undefined && params.newname !== account.account_name) {
      const name = readUsername(params.newname, 'newname');
      const sameButCase = name.toLowerCase() === account.account_name.toLowerCase();
      if (!sameButCase && (await isAccountNameTaken(trx, account.domain_id, name))) {
        throw invalidParameter('newname', `there is an account ${name} in the domain already`);
      }
      changes.account_name = name;
    }
    if (params.roleid !== undefined) {
      demandOther(caller, account, 'given another role');
      const role = await findRole(trx, params.roleid);
      if (!role) throw entityNotFound('roleid', params.roleid);
      if (roleTypes[role.role_type]?.accountType !== account.type) {
        throw invalidParameter('roleid', `is of the type ${role.role_type}, which the account is not`);
      }
      const holder = { rules: role.rules, accountType: account.type };
      demandPowerOver(caller, holder, `accounts with the role ${role.name}`);
      changes.role_id = role.id;
    }
    if (Object.keys(changes).length > 0) {
      await trx.updateTable('account').set(changes).where('id', '=', account.id).execute();
      await note(trx, caller, account, 'ACCOUNT.UPDATE', `changed account ${account.account_name}`);
    }
    return { object: await loadAccount(trx, account.uuid) };
  }),
);

export const enableAccount = implement(specs.enableAccount, async ({ params, database, caller }) =>
  database.transaction().execute(async (trx) => {
    const account = await lockedAccount(trx, caller, params);
    await setState(trx, caller, account, 'enabled');
    return { object: await loadAccount(trx, account.uuid) };
  }),
);

export const lockAccount = implement(specs.lockAccount, async ({ params, database, caller }) =>
  database.transaction().execute(async (trx) => {
    const account = await lockedAccount(trx, caller, params);
    await setState(trx, caller, account, 'locked');
    return { object: await loadAccount(trx, account.uuid) };
  }),
);

export const disableAccount = implement(specs.disableAccount, async ({ params, database, jobs, caller }) =>
  database.transaction().execute(async (trx) => {
    const account = await lockedAccount(trx, caller, params);
    await setState(trx, caller, account, params.lock ? 'locked' : 'disabled');
    const jobId = await jobs.enqueue(trx, {
      command: 'disableAccount',
      parameters: { accountUuid: account.uuid },
      ...jobOwner(caller, account),
    });
    return { jobId };
  }),
);

export const deleteAccount = implement(specs.deleteAccount, async ({ params, database, jobs, caller }) =>
  database.transaction().execute(async (trx) => {
    const account = await lockedAccount(trx, caller, params);
    demandOther(caller, account, 'deleted');
    const belongings = await belongingsOf(trx, [account.id]);
    if (belongings.length > 0)
      throw inUse(`account ${account.account_name}`, belongings, 'expunge or delete them first');
    await removeAccounts(trx, [account.id]);
    await note(trx, caller, account, 'ACCOUNT.DELETE', `deleted account ${account.account_name}`);
    const jobId = await jobs.enqueue(trx, {
      command: 'deleteAccount',
      parameters: {},
      ...jobOwner(caller, account),
    });
    return { jobId };
  }),
);

const stateEvents = {
  enabled: 'ACCOUNT.ENABLE',
  disabled: 'ACCOUNT.DISABLE',
  locked: 'ACCOUNT.LOCK',
} as const;

async function setState(
  executor: Executor,
  caller: Caller,
  account: LockedAccount,
  state: keyof typeof stateEvents,
): Promise<void> {
  demandOther(caller, account, state);
  if (account.state === state) return;
  await executor.updateTable('account').set({ state }).where('id', '=', account.id).execute();
  if (state !== 'enabled') await endSessions(executor, [account.id]);
  await note(executor, caller, account, stateEvents[state], `account ${account.account_name} is ${state}`);
}

/**
 * The account that is named by its ID, or by name and domain, which the caller may change.
 * @throws ApiError 431, 531
 */
async function lockedAccount(
  executor: Executor,
  caller: Caller,
  params: {
    readonly id?: string | undefined;
    readonly account?: string | undefined;
    readonly domainid?: string | undefined;
  },
): Promise<LockedAccount> {
  const scope: OwnerScope = { kind: 'domain', path: ownDomainReach(caller), recursive: true };
  if (params.id === undefined && params.account === undefined)
    throw invalidParameter('id', 'is missing: name an account');
  const domain = params.domainid === undefined ? undefined : await findDomain(executor, params.domainid);
  if (params.domainid !== undefined && !domain) throw entityNotFound('domainid', params.domainid);
  const account = await lockAccountRow(
    executor,
    scope,
    params.id === undefined
      ? { name: params.account ?? '', domainUuid: domain?.uuid ?? caller.domainUuid }
      : { uuid: params.id },
  );
  if (!account) {
    throw params.id === undefined
      ? invalidParameter('account', `there is no account ${params.account} in the domain that you may change`)
      : entityNotFound('id', params.id);
  }
  const holder = { rules: account.rules, accountType: account.type };
  demandPowerOver(caller, holder, `account ${account.account_name}`);
  return account;
}

function demandOther(caller: Caller, account: { readonly id: number }, done: string): void {
  if (account.id === caller.accountId)
    throw new ApiError('ACCOUNT_ERROR', `your own account cannot be ${done}: somebody else has to do it`);
}

async function loadAccount(executor: Executor, uuid: string) {
  const { rows } = await listAccountRows(executor, { scope: { kind: 'everything' }, uuid }, everything);
  const [entity] = await accountEntities(executor, rows);
  if (!entity) throw entityNotFound('id', uuid);
  return entity;
}

function jobOwner(caller: Caller, account: { readonly uuid: string }) {
  return {
    userId: caller.userId,
    accountId: caller.accountId,
    instanceType: 'Account',
    instanceUuid: account.uuid,
  };
}

async function note(
  executor: Executor,
  caller: Caller,
  account: { readonly id: number; readonly uuid: string },
  type: EventType,
  description: string,
): Promise<void> {
  await recordEvent(executor, {
    type,
    description,
    userId: caller.userId,
    accountId: account.id,
    resourceType: 'Account',
    resourceUuid: account.uuid,
  });
}
