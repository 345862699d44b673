import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Executor } from './database.ts';
import { containing, type OwnerScope, ownedBy } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';
import { roleOfAccount, rulesOfRole } from './roles.ts';
import type { RowUpdate } from './schema.ts';

const columns = [
  'user.id',
  'user.uuid',
  'user.username',
  'user.password',
  'user.firstname',
  'user.lastname',
  'user.email',
  'user.state',
  'user.timezone',
  'user.api_key',
  'user.secret_key',
  'user.created',
  'account.id as account_id',
  'account.uuid as account_uuid',
  'account.account_name',
  'account.type as account_type',
  'domain.id as domain_id',
  'domain.uuid as domain_uuid',
  'domain.name as domain_name',
  'domain.path as domain_path',
  'roles.uuid as role_uuid',
  'roles.name as role_name',
  'roles.role_type',
] as const;

function living(executor: Executor) {
  return executor
    .selectFrom('user')
    .innerJoin('account', 'account.id', 'user.account_id')
    .innerJoin('domain', 'domain.id', 'account.domain_id')
    .innerJoin('roles', (join) => join.on(roleOfAccount))
    .where('user.removed', 'is', null)
    .where('account.removed', 'is', null)
    .where('domain.removed', 'is', null);
}

function enabled(executor: Executor) {
  return living(executor).where('user.state', '=', 'enabled').where('account.state', '=', 'enabled');
}

export type UserRow = NonNullable<Awaited<ReturnType<typeof findEnabledUserById>>>;

/** A user who may act now: neither the user nor the account is removed, disabled or locked. */
export async function findEnabledUserById(executor: Executor, userId: number) {
  return enabled(executor)
    .select(columns)
    .select(rulesOfRole.as('rules'))
    .where('user.id', '=', userId)
    .executeTakeFirst();
}

/** The first user who may act now and everywhere: of an account of the domain ROOT with the built-in role Root Admin. */
export async function findRootAdmin(executor: Executor) {
  return enabled(executor)
    .select(columns)
    .select(rulesOfRole.as('rules'))
    .where('roles.account_type', '=', 1)
    .where('domain.path', '=', '/')
    .orderBy('user.id')
    .limit(1)
    .executeTakeFirst();
}

export async function findEnabledUserByApiKey(executor: Executor, apiKey: string) {
  return enabled(executor)
    .select(columns)
    .select(rulesOfRole.as('rules'))
    .where('user.api_key', '=', apiKey)
    .executeTakeFirst();
}

export async function findEnabledUserByName(
  executor: Executor,
  username: string,
  domain: { readonly path: string } | { readonly id: number },
) {
  const query = enabled(executor)
    .select(columns)
    .select(rulesOfRole.as('rules'))
    .where('user.username', '=', username);
  const inDomain =
    'path' in domain
      ? query.where(sql<boolean>`lower(domain.path) = ${domain.path.toLowerCase()}`)
      : query.where('domain.id', '=', domain.id);
  return inDomain.executeTakeFirst();
}

export interface UserFilter {
  readonly scope: OwnerScope;
  readonly uuid?: string | undefined;
  readonly username?: string | undefined;
  readonly keyword?: string | undefined;
  readonly accountType?: number | undefined;
  readonly state?: string | undefined;
  readonly apiKey?: string | undefined;
}

export async function listUserRows(executor: Executor, filter: UserFilter, page: Page) {
  let query = living(executor).where(ownedBy(filter.scope));
  if (filter.uuid !== undefined) query = query.where('user.uuid', '=', filter.uuid);
  if (filter.username !== undefined) query = query.where('user.username', '=', filter.username);
  if (filter.keyword !== undefined) query = query.where('user.username', 'ilike', containing(filter.keyword));
  if (filter.accountType !== undefined) query = query.where('account.type', '=', filter.accountType);
  if (filter.state !== undefined) query = query.where('user.state', '=', filter.state);
  if (filter.apiKey !== undefined) query = query.where('user.api_key', '=', filter.apiKey);
  return pageOf(query.select(columns).select(rulesOfRole.as('rules')).orderBy('user.id'), page);
}

export async function storeUserKeys(
  executor: Executor,
  userId: number,
  keys: { readonly apiKey: string; readonly secretKey: string },
): Promise<void> {
  await executor
    .updateTable('user')
    .set({ api_key: keys.apiKey, secret_key: keys.secretKey })
    .where('id', '=', userId)
    .execute();
}

/** An account by name in a domain. */
export async function findAccount(executor: Executor, name: string, domain: { readonly uuid: string }) {
  return executor
    .selectFrom('account')
    .innerJoin('domain', 'domain.id', 'account.domain_id')
    .where('account.account_name', '=', name)
    .where('domain.uuid', '=', domain.uuid)
    .where('account.removed', 'is', null)
    .select(['account.id', 'account.uuid', 'account.account_name', 'domain.path as domain_path'])
    .executeTakeFirst();
}

export async function findDomain(executor: Executor, uuid: string) {
  return executor
    .selectFrom('domain')
    .selectAll()
    .where('uuid', '=', uuid)
    .where('removed', 'is', null)
    .executeTakeFirst();
}

export async function insertUser(
  executor: Executor,
  user: {
    readonly username: string;
    /** PHC string. */
    readonly password: string;
    readonly accountId: number;
    readonly firstname: string;
    readonly lastname: string;
    readonly email: string;
    readonly timezone: string | undefined;
  },
): Promise<string> {
  const uuid = randomUUID();
  await executor
    .insertInto('user')
    .values({
      uuid,
      username: user.username,
      password: user.password,
      account_id: user.accountId,
      firstname: user.firstname,
      lastname: user.lastname,
      email: user.email,
      timezone: user.timezone ?? null,
    })
    .execute();
  return uuid;
}

export async function changeUser(
  executor: Executor,
  userId: number,
  changes: RowUpdate<'user'>,
): Promise<void> {
  if (Object.keys(changes).length === 0) return;
  await executor.updateTable('user').set(changes).where('id', '=', userId).execute();
}

/** Names to log in with are unique in a domain; the domain's row must be locked. */
export async function isUsernameTaken(
  executor: Executor,
  domainId: number,
  username: string,
): Promise<boolean> {
  const row = await living(executor)
    .select('user.id')
    .where('domain.id', '=', domainId)
    .where(sql<boolean>`lower("user".username) = ${username.toLowerCase()}`)
    .executeTakeFirst();
  return row !== undefined;
}

export async function endUserSessions(executor: Executor, userId: number): Promise<void> {
  await executor.deleteFrom('user_session').where('user_id', '=', userId).execute();
}

export async function domainOfAccount(executor: Executor, accountId: number) {
  return executor
    .selectFrom('account')
    .innerJoin('domain', 'domain.id', 'account.domain_id')
    .where('account.id', '=', accountId)
    .select(['domain.id', 'domain.uuid', 'domain.name'])
    .executeTakeFirstOrThrow();
}

/** Those of these names that are accounts of the domain. */
export async function accountsOfDomain(executor: Executor, domainId: number, names: readonly string[]) {
  return executor
    .selectFrom('account')
    .where('domain_id', '=', domainId)
    .where('removed', 'is', null)
    .where('account_name', '=', sql<string>`any(${names})`)
    .select(['id', 'account_name'])
    .execute();
}

export async function findAccountWithDomain(executor: Executor, accountId: number) {
  return executor
    .selectFrom('account')
    .innerJoin('domain', 'domain.id', 'account.domain_id')
    .where('account.id', '=', accountId)
    .select([
      'account.id',
      'account.type',
      'account.account_name',
      'domain.uuid as domain_uuid',
      'domain.name as domain_name',
    ])
    .executeTakeFirstOrThrow();
}
