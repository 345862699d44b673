import { type RawBuilder, sql } from 'kysely';
import type { Executor } from './database.ts';
import { type OwnerScope, ownedBy } from './owner-scope.ts';

/** The condition that a template is shared with an account of the scope, for a query that has `vm_template`. */
export function sharedWith(scope: OwnerScope): RawBuilder<boolean> {
  // its account and domain hide those of the owner, which the query around has
  return sql<boolean>`exists (select from launch_permission
    join account on account.id = launch_permission.account_id
    join domain on domain.id = account.domain_id
    where launch_permission.template_id = vm_template.id and account.removed is null and ${ownedBy(scope)})`;
}

/** The condition that accounts of the scope may use a template: their own, public or shared with one of them. */
export function usableBy(scope: OwnerScope): RawBuilder<boolean> {
  return sql<boolean>`(vm_template.public or ${ownedBy(scope)} or ${sharedWith(scope)})`;
}

/** The names of the accounts that a template is shared with. */
export async function accountsSharing(executor: Executor, templateId: number): Promise<string[]> {
  const rows = await executor
    .selectFrom('launch_permission')
    .innerJoin('account', 'account.id', 'launch_permission.account_id')
    .where('template_id', '=', templateId)
    .where('account.removed', 'is', null)
    .select('account.account_name')
    .orderBy('account.account_name')
    .execute();
  return rows.map(({ account_name }) => account_name);
}

export async function shareTemplate(
  executor: Executor,
  templateId: number,
  accountIds: readonly number[],
): Promise<void> {
  if (accountIds.length === 0) return;
  await executor
    .insertInto('launch_permission')
    .values(accountIds.map((account_id) => ({ template_id: templateId, account_id })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** @param accountIds all of them when absent */
export async function unshareTemplate(
  executor: Executor,
  templateId: number,
  accountIds?: readonly number[],
): Promise<void> {
  await executor
    .deleteFrom('launch_permission')
    .where('template_id', '=', templateId)
    .$if(accountIds !== undefined, (query) =>
      query.where('account_id', '=', sql<number>`any(${accountIds!})`),
    )
    .execute();
}
