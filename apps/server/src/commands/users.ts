import { ApiError, entityNotFound, invalidParameter, specs } from '@millrace/api';
import { hashPassword, verifyPassword } from '../domain/password.ts';
import type { Executor } from '../store/database.ts';
import { type EventType, recordEvent } from '../store/events.ts';
import { everything } from '../store/paging.ts';
import {
  changeUser,
  endUserSessions,
  insertUser,
  isUsernameTaken,
  listUserRows,
  type UserRow,
} from '../store/users.ts';
import { demandPowerOver } from './authority.ts';
import { type Caller, implement, type PasswordCheck } from './command.ts';
import { lockedWithin } from './domains.ts';
import { keyHolder } from './key-holder.ts';
import { userEntity } from './responses/user.ts';
import { reachableAccount } from './scope.ts';
import { personName, readPassword, readUsername } from './user-fields.ts';

export const createUser = implement(specs.createUser, async ({ params, database, caller }) => {
  const username = readUsername(params.username);
  const password = await hashPassword(readPassword(params.password));
  return database.transaction().execute(async (trx) => {
    const domain = await lockedWithin(trx, caller, params.domainid ?? caller.domainUuid, 'domainid');
    const account = await reachableAccount(trx, caller, params.account, domain.uuid);
    const [colleague] = (
      await listUserRows(trx, { scope: { kind: 'account', accountId: account.id } }, everything)
    ).rows;
    // whoever is in an account has its role
    if (colleague) demandPowerOver(caller, holderOf(colleague), `account ${account.account_name}`);
    else if (account.id !== caller.accountId && caller.role !== 'admin')
      throw new ApiError('ACCOUNT_ERROR', `you have no permission for account ${account.account_name}`);
    if (await isUsernameTaken(trx, domain.id, username))
      throw invalidParameter('username', `there is a user ${username} in the domain already`);
    const uuid = await insertUser(trx, {
      username,
      password,
      accountId: account.id,
      firstname: personName('firstname', params.firstname),
      lastname: personName('lastname', params.lastname),
      email: personName('email', params.email),
      timezone: params.timezone,
    });
    const user = await loadUser(trx, uuid);
    await note(trx, caller, user, 'USER.CREATE', `made user ${username} of account ${account.account_name}`);
    return { object: userEntity(user) };
  });
});

export const updateUser = implement(specs.updateUser, async ({ params, database, caller, checkPassword }) => {
  const wanted = params.password === undefined ? undefined : readPassword(params.password);
  const before = await keyHolder(database, caller, params.id);
  if (wanted !== undefined && before.id === caller.userId)
    await demandCurrent(before, params.currentpassword, checkPassword);
  // outside of the transaction: hashing takes its time
  const password = wanted === undefined ? undefined : await hashPassword(wanted);
  return database.transaction().execute(async (trx) => {
    const user = await keyHolder(trx, caller, params.id);
    const username = params.username === undefined ? undefined : readUsername(params.username);
    if (username !== undefined && username.toLowerCase() !== user.username.toLowerCase()) {
      if (await isUsernameTaken(trx, user.domain_id, username))
        throw invalidParameter('username', `there is a user ${username} in the domain already`);
    }
    await changeUser(trx, user.id, {
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(params.timezone === undefined ? {} : { timezone: params.timezone }),
      ...given('firstname', params.firstname),
      ...given('lastname', params.lastname),
      ...given('email', params.email),
    });
    // whoever knew the old password is out; the caller logs in again
    if (password !== undefined) await endUserSessions(trx, user.id);
    const what = password === undefined ? '' : ', the password too';
    await note(trx, caller, user, 'USER.UPDATE', `changed user ${user.username}${what}`);
    return { object: userEntity(await loadUser(trx, user.uuid)) };
  });
});

function given<K extends 'firstname' | 'lastname' | 'email'>(param: K, text: string | undefined) {
  return text === undefined ? {} : { [param]: personName(param, text) };
}

/** A session that was left open, or stolen, must not be enough to take an account over. */
async function demandCurrent(
  user: UserRow,
  current: string | undefined,
  check: PasswordCheck,
): Promise<void> {
  if (current === undefined)
    throw invalidParameter('currentpassword', 'is needed to change your own password');
  const right = await check(async () => (await verifyPassword(current, user.password)) || undefined);
  if (!right) throw invalidParameter('currentpassword', 'is not your password');
}

export const enableUser = implement(specs.enableUser, async ({ params, database, caller }) =>
  database.transaction().execute(async (trx) => ({
    object: userEntity(await setState(trx, caller, params.id, 'enabled')),
  })),
);

export const lockUser = implement(specs.lockUser, async ({ params, database, caller }) =>
  database.transaction().execute(async (trx) => ({
    object: userEntity(await setState(trx, caller, params.id, 'locked')),
  })),
);

export const disableUser = implement(specs.disableUser, async ({ params, database, jobs, caller }) =>
  database.transaction().execute(async (trx) => {
    const user = await setState(trx, caller, params.id, 'disabled');
    const jobId = await jobs.enqueue(trx, {
      command: 'disableUser',
      parameters: { userUuid: user.uuid },
      userId: caller.userId,
      accountId: caller.accountId,
      instanceType: 'User',
      instanceUuid: user.uuid,
    });
    return { jobId };
  }),
);

export const deleteUser = implement(specs.deleteUser, async ({ params, database, caller }) =>
  database.transaction().execute(async (trx) => {
    const user = await keyHolder(trx, caller, params.id);
    demandOther(caller, user, 'deleted');
    await endUserSessions(trx, user.id);
    await changeUser(trx, user.id, { removed: new Date(), api_key: null, secret_key: null });
    await note(trx, caller, user, 'USER.DELETE', `deleted user ${user.username}`);
    return { success: true };
  }),
);

const stateEvents = { enabled: 'USER.ENABLE', disabled: 'USER.DISABLE', locked: 'USER.LOCK' } as const;

async function setState(
  executor: Executor,
  caller: Caller,
  uuid: string,
  state: keyof typeof stateEvents,
): Promise<UserRow> {
  const user = await keyHolder(executor, caller, uuid);
  demandOther(caller, user, state);
  if (user.state !== state) {
    await changeUser(executor, user.id, { state });
    if (state !== 'enabled') await endUserSessions(executor, user.id);
    await note(executor, caller, user, stateEvents[state], `user ${user.username} is ${state}`);
  }
  return loadUser(executor, uuid);
}

function demandOther(caller: Caller, user: UserRow, done: string): void {
  if (user.id === caller.userId)
    throw new ApiError('ACCOUNT_ERROR', `you cannot be ${done} by yourself: somebody else has to do it`);
}

function holderOf(user: UserRow) {
  return { rules: user.rules, accountType: user.account_type };
}

async function loadUser(executor: Executor, uuid: string): Promise<UserRow> {
  const [user] = (await listUserRows(executor, { scope: { kind: 'everything' }, uuid }, everything)).rows;
  if (!user) throw entityNotFound('id', uuid);
  return user;
}

async function note(
  executor: Executor,
  caller: Caller,
  user: UserRow,
  type: EventType,
  description: string,
): Promise<void> {
  await recordEvent(executor, {
    type,
    description,
    userId: caller.userId,
    accountId: user.account_id,
    resourceType: 'User',
    resourceUuid: user.uuid,
  });
}
