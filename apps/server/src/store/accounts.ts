import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Executor } from './database.ts';
import { containing, type OwnerScope, ownedBy } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';
import { roleOfAccount, rulesOfRole } from './roles.ts';

export interface AccountFilter {
  readonly scope: OwnerScope;
  readonly uuid?: string | undefined;
  readonly name?: string | undefined;
  readonly type?: number | undefined;
  readonly state?: string | undefined;
  readonly keyword?: string | undefined;
}

function living(executor: Executor) {
  return executor
    .selectFrom('account')
    .innerJoin('domain', 'domain.id', 'account.domain_id')
    .innerJoin('roles', (join) => join.on(roleOfAccount))
    .where('account.removed', 'is', null)
    .where('domain.removed', 'is', null);
}

const columns = [
  'account.id',
  'account.uuid',
  'account.account_name',
  'account.type',
  'account.state',
  'account.created',
  'domain.id as domain_id',
  'domain.uuid as domain_uuid',
  'domain.name as domain_name',
  'domain.path as domain_path',
  'roles.uuid as role_uuid',
  'roles.name as role_name',
  'roles.role_type',
] as const;

const ofAccount = (what: ReturnType<typeof sql<number>>) => sql<number>`(select ${what} and removed is null)`;
const instances = (state: string) =>
  ofAccount(
    sql<number>`count(*)::int from vm_instance where account_id = ${sql.ref('account.id')} and state = ${state}`,
  );
export async function listAccountRows(executor: Executor, filter: AccountFilter, page: Page) {
  let query = living(executor).where(ownedBy(filter.scope));
  if (filter.uuid !== undefined) query = query.where('account.uuid', '=', filter.uuid);
  if (filter.name !== undefined) query = query.where('account.account_name', '=', filter.name);
  if (filter.type !== undefined) query = query.where('account.type', '=', filter.type);
  if (filter.state !== undefined) query = query.where('account.state', '=', filter.state);
  if (filter.keyword !== undefined)
    query = query.where('account.account_name', 'ilike', containing(filter.keyword));
  return pageOf(
    query
      .select(columns)
      .select([instances('Running').as('running'), instances('Stopped').as('stopped')])
      .orderBy('account.id'),
    page,
  );
}

export type AccountRow = Awaited<ReturnType<typeof listAccountRows>>['rows'][number];

/** An account with its rules, locked, within a scope. */
export async function lockAccountRow(
  executor: Executor,
  scope: OwnerScope,
  which: { readonly uuid: string } | { readonly name: string; readonly domainUuid: string },
) {
  const query = living(executor).where(ownedBy(scope));
  const found =
    'uuid' in which
      ? query.where('account.uuid', '=', which.uuid)
      : query.where('account.account_name', '=', which.name).where('domain.uuid', '=', which.domainUuid);
  return found.select(columns).select(rulesOfRole.as('rules')).forUpdate('account').executeTakeFirst();
}

export type LockedAccount = NonNullable<Awaited<ReturnType<typeof lockAccountRow>>>;

export async function insertAccount(
  executor: Executor,
  account: {
    readonly name: string;
    readonly type: number;
    readonly domainId: number;
    readonly roleId: number | undefined;
  },
) {
  return executor
    .insertInto('account')
    .values({
      uuid: randomUUID(),
      account_name: account.name,
      type: account.type,
      domain_id: account.domainId,
      role_id: account.roleId ?? null,
    })
    .returning(['id', 'uuid'])
    .executeTakeFirstOrThrow();
}

export async function isAccountNameTaken(
  executor: Executor,
  domainId: number,
  name: string,
): Promise<boolean> {
  const row = await executor
    .selectFrom('account')
    .select('id')
    .where('domain_id', '=', domainId)
    .where(sql<boolean>`lower(account_name) = ${name.toLowerCase()}`)
    .where('removed', 'is', null)
    .executeTakeFirst();
  return row !== undefined;
}

/** What an account still owns that cannot simply go with it, in words: `instance web`, `template debian`. */
export async function belongingsOf(executor: Executor, accountIds: readonly number[]): Promise<string[]> {
  if (accountIds.length === 0) return [];
  const { rows } = await sql<{ what: string }>`
    select 'instance ' || name as what from vm_instance where account_id = any(${accountIds}) and removed is null
    union all
    select 'volume ' || name from volumes where account_id = any(${accountIds}) and removed is null and instance_id is null
    union all
    select lower(case when format = 'ISO' then 'ISO' else 'template' end) || ' ' || name from vm_template
      where account_id = any(${accountIds}) and removed is null
    union all
    select 'network ' || name from networks where account_id = any(${accountIds}) and removed is null
    limit 5`.execute(executor);
  return rows.map(({ what }) => what);
}

/** Networks that domains as such may use, in words. */
export async function networksOfDomains(executor: Executor, domainIds: readonly number[]): Promise<string[]> {
  const rows = await executor
    .selectFrom('networks')
    .select('name')
    .where('domain_id', 'in', domainIds)
    .where('removed', 'is', null)
    .orderBy('id')
    .limit(5)
    .execute();
  return rows.map(({ name }) => `network ${name}`);
}

export async function accountsOfDomains(executor: Executor, domainIds: readonly number[]) {
  return executor
    .selectFrom('account')
    .select(['id', 'uuid', 'account_name'])
    .where('domain_id', 'in', domainIds)
    .where('removed', 'is', null)
    .execute();
}

/** Accounts with their users, sessions and keys. Events and ended jobs stay: they tell what happened. */
export async function removeAccounts(executor: Executor, accountIds: readonly number[]): Promise<void> {
  if (accountIds.length === 0) return;
  await endSessions(executor, accountIds);
  await executor.deleteFrom('ssh_keypairs').where('account_id', 'in', accountIds).execute();
  // templates that were deleted still name it
  await sql`update vm_template set user_data_id = null, user_data_link_policy = null
    where user_data_id in (select id from user_data where account_id = any(${accountIds}))`.execute(executor);
  await executor.deleteFrom('user_data').where('account_id', 'in', accountIds).execute();
  const removed = new Date();
  await executor
    .updateTable('user')
    .set({ removed, api_key: null, secret_key: null })
    .where('account_id', 'in', accountIds)
    .where('removed', 'is', null)
    .execute();
  await executor.updateTable('account').set({ removed }).where('id', 'in', accountIds).execute();
}

/** Of every user of the accounts. */
export async function endSessions(executor: Executor, accountIds: readonly number[]): Promise<void> {
  await executor
    .deleteFrom('user_session')
    .where('user_id', 'in', (query) =>
      query.selectFrom('user').select('user.id').where('user.account_id', 'in', accountIds),
    )
    .execute();
}
