import { type RawBuilder, sql } from 'kysely';
import type { RoleRule } from '../domain/role-rules.ts';
import type { Executor } from './database.ts';
import { containing } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';

/** Joins `roles` with `account`: the account's own role, else the one of its type. */
export const roleOfAccount = sql<boolean>`${sql.ref('roles.id')} = coalesce(${sql.ref('account.role_id')},
  (select builtin.id from roles as builtin where builtin.account_type = ${sql.ref('account.type')}))`;

/** The rules of a role in their order, for a query that has `roles` among its tables. */
export const rulesOfRole: RawBuilder<RoleRule[]> = sql<RoleRule[]>`coalesce((
  select json_agg(json_build_object('rule', rule, 'permission', permission) order by sort_order, id)
  from role_permissions where role_id = ${sql.ref('roles.id')}), '[]'::json)`;

export async function listRoleRows(
  executor: Executor,
  filter: {
    readonly uuid?: string | undefined;
    readonly name?: string | undefined;
    readonly type?: string | undefined;
    readonly keyword?: string | undefined;
  },
  page: Page,
) {
  let query = executor.selectFrom('roles').where('removed', 'is', null);
  if (filter.uuid !== undefined) query = query.where('uuid', '=', filter.uuid);
  if (filter.name !== undefined) query = query.where('name', '=', filter.name);
  if (filter.type !== undefined) query = query.where('role_type', '=', filter.type);
  if (filter.keyword !== undefined) query = query.where('name', 'ilike', containing(filter.keyword));
  return pageOf(query.selectAll().orderBy('id'), page);
}

export type RoleRow = NonNullable<Awaited<ReturnType<typeof findRole>>>;

export async function findRole(executor: Executor, uuid: string) {
  return executor
    .selectFrom('roles')
    .where('roles.uuid', '=', uuid)
    .where('roles.removed', 'is', null)
    .selectAll('roles')
    .select(rulesOfRole.as('rules'))
    .executeTakeFirst();
}

/** The role that accounts of a type have when none is named. */
export async function builtInRole(executor: Executor, accountType: number) {
  return executor
    .selectFrom('roles')
    .where('roles.account_type', '=', accountType)
    .selectAll('roles')
    .select(rulesOfRole.as('rules'))
    .executeTakeFirst();
}

export async function listRolePermissionRows(
  executor: Executor,
  filter: { readonly roleUuid?: string | undefined; readonly keyword?: string | undefined },
  page: Page,
) {
  let query = executor
    .selectFrom('role_permissions')
    .innerJoin('roles', 'roles.id', 'role_permissions.role_id')
    .where('roles.removed', 'is', null);
  if (filter.roleUuid !== undefined) query = query.where('roles.uuid', '=', filter.roleUuid);
  if (filter.keyword !== undefined) query = query.where('rule', 'ilike', containing(filter.keyword));
  return pageOf(
    query
      .selectAll('role_permissions')
      .select(['roles.uuid as role_uuid', 'roles.name as role_name'])
      .orderBy('role_permissions.role_id')
      .orderBy('sort_order')
      .orderBy('role_permissions.id'),
    page,
  );
}
