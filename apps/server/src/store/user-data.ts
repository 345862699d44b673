import { sql } from 'kysely';
import type { Executor } from './database.ts';
import { containing, type OwnerScope, ownedBy } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';
import type { NewRow } from './schema.ts';

export interface UserDataFilter {
  readonly scope: OwnerScope;
  readonly uuid?: string | undefined;
  readonly name?: string | undefined;
  readonly keyword?: string | undefined;
}

function owned(executor: Executor, scope: OwnerScope) {
  return executor
    .selectFrom('user_data')
    .innerJoin('account', 'account.id', 'user_data.account_id')
    .innerJoin('domain', 'domain.id', 'account.domain_id')
    .where(ownedBy(scope));
}

export async function listUserDataRows(executor: Executor, filter: UserDataFilter, page: Page) {
  let query = owned(executor, filter.scope);
  if (filter.uuid !== undefined) query = query.where('user_data.uuid', '=', filter.uuid);
  if (filter.name !== undefined) query = query.where('user_data.name', '=', filter.name);
  if (filter.keyword !== undefined)
    query = query.where('user_data.name', 'ilike', containing(filter.keyword));
  const rows = query
    .select([
      'user_data.id',
      'user_data.uuid',
      'user_data.name',
      'user_data.params',
      'account.uuid as account_uuid',
      'account.account_name',
      'domain.uuid as domain_uuid',
      'domain.name as domain_name',
    ])
    .orderBy('user_data.id');
  return pageOf(rows, page);
}

export type UserDataRow = Awaited<ReturnType<typeof listUserDataRows>>['rows'][number];

/** What one answer tells of user data, characters: a page of a list could otherwise be half a gigabyte. */
/** A sealed text is a third longer than what it says. */
const toldAtOnce = 22 * 1024 * 1024;

/** The user data of rows of a page, in the page's order, as much of it as one answer may tell. */
export async function toldUserData(
  executor: Executor,
  table: 'user_data' | 'vm_instance',
  ids: readonly number[],
): Promise<ReadonlyMap<number, string>> {
  const lengths = await executor
    .selectFrom(table)
    .select(['id', sql<number>`length(user_data)`.as('length')])
    .where('id', '=', sql<number>`any(${ids})`)
    .where('user_data', 'is not', null)
    .execute();
  const lengthOf = new Map(lengths.map((row) => [row.id, row.length]));
  let left = toldAtOnce;
  const told = ids.filter((id) => {
    left -= lengthOf.get(id) ?? 0;
    return left >= 0;
  });
  const rows = await executor
    .selectFrom(table)
    .select(['id', 'user_data'])
    .where('id', '=', sql<number>`any(${told})`)
    .execute();
  return new Map(rows.flatMap(({ id, user_data }) => (user_data === null ? [] : [[id, user_data]])));
}

/** @returns false when the account has user data of this name */
export async function insertUserData(executor: Executor, row: NewRow<'user_data'>): Promise<boolean> {
  const result = await executor
    .insertInto('user_data')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** User data within reach, kept from being deleted before what will use it is written. */
export async function holdUserData(executor: Executor, uuid: string, scope: OwnerScope) {
  return owned(executor, scope)
    .where('user_data.uuid', '=', uuid)
    .selectAll('user_data')
    .forShare('user_data')
    .executeTakeFirst();
}

/** User data within reach, locked for its deletion. */
export async function lockUserData(executor: Executor, uuid: string, scope: OwnerScope) {
  return owned(executor, scope)
    .where('user_data.uuid', '=', uuid)
    .selectAll('user_data')
    .forUpdate('user_data')
    .executeTakeFirst();
}

/** What is linked to a template, kept like `holdUserData` does. */
export async function holdLinkedUserData(executor: Executor, id: number) {
  return executor.selectFrom('user_data').selectAll().where('id', '=', id).forShare().executeTakeFirst();
}

/** How many templates and living instances use it. */
export async function countUsersOfUserData(executor: Executor, id: number): Promise<number> {
  const count = async (table: 'vm_template' | 'vm_instance') => {
    const row = await executor
      .selectFrom(table)
      .where('user_data_id', '=', id)
      .where('removed', 'is', null)
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    return Number(row.count);
  };
  return (await count('vm_template')) + (await count('vm_instance'));
}
