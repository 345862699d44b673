import { randomUUID } from 'node:crypto';
import { entityNotFound, invalidParameter, missingParameter, specs } from '@millrace/api';
import { sql } from 'kysely';
import { isRule, roleTypes } from '../domain/role-rules.ts';
import type { Executor } from '../store/database.ts';
import { type EventType, recordEvent } from '../store/events.ts';
import { everything } from '../store/paging.ts';
import { findRole, listRolePermissionRows, listRoleRows, type RoleRow } from '../store/roles.ts';
import { type Caller, implement } from './command.ts';
import { inUse } from './domains.ts';
import { pageFrom } from './page.ts';
import { roleEntity, rolePermissionEntity } from './responses/identity.ts';

export const listRoles = implement(specs.listRoles, async ({ params, database }) => {
  const { id, name, type, keyword } = params;
  const filter = { uuid: id, name, type, keyword };
  const { rows, count } = await listRoleRows(database, filter, await pageFrom(database, params));
  return { list: rows.map(roleEntity), count };
});

export const createRole = implement(specs.createRole, async ({ params, database, caller }) =>
  database.transaction().execute(async (trx) => {
    const name = await freeName(trx, params.name);
    if (params.type === undefined && params.roleid === undefined)
      throw missingParameter('createRole', 'type');
    const model = params.roleid === undefined ? undefined : await findRole(trx, params.roleid);
    if (params.roleid !== undefined && !model) throw entityNotFound('roleid', params.roleid);
    const type = Object.keys(roleTypes).find(
      (known) => known.toLowerCase() === (params.type ?? model?.role_type ?? '').toLowerCase(),
    );
    if (type === undefined || (model && model.role_type !== type))
      throw invalidParameter(
        'type',
        model
          ? `must be that of the role ${model.name}: leave it out`
          : `must be one of ${Object.keys(roleTypes).join(', ')}`,
      );
    const role = await trx
      .insertInto('roles')
      .values({ uuid: randomUUID(), name, role_type: type, description: params.description ?? null })
      .returningAll()
      .executeTakeFirstOrThrow();
    for (const [index, rule] of (model?.rules ?? []).entries())
      await trx
        .insertInto('role_permissions')
        .values({ uuid: randomUUID(), role_id: role.id, ...rule, sort_order: index })
        .execute();
    await note(trx, caller, role, 'ROLE.CREATE', `made role ${name}`);
    return { object: roleEntity(role) };
  }),
);

export const updateRole = implement(specs.updateRole, async ({ params, database, caller }) =>
  database.transaction().execute(async (trx) => {
    const role = await ownRole(trx, params.id, 'id');
    const { name, description } = params;
    const renamed = name !== undefined && name.trim().toLowerCase() !== role.name.toLowerCase();
    const changed = await trx
      .updateTable('roles')
      .set({
        name: renamed ? await freeName(trx, name) : (name?.trim() ?? role.name),
        description: description ?? role.description,
      })
      .where('id', '=', role.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    await note(trx, caller, changed, 'ROLE.UPDATE', `changed role ${role.name}`);
    return { object: roleEntity(changed) };
  }),
);

export const deleteRole = implement(specs.deleteRole, async ({ params, database, caller }) =>
  database.transaction().execute(async (trx) => {
    const role = await ownRole(trx, params.id, 'id');
    const holders = await trx
      .selectFrom('account')
      .select('account_name')
      .where('role_id', '=', role.id)
      .where('removed', 'is', null)
      .limit(5)
      .execute();
    if (holders.length > 0) {
      const names = holders.map(({ account_name }) => `account ${account_name}`);
      throw inUse(`role ${role.name}`, names, 'give them another role first');
    }
    await trx.deleteFrom('role_permissions').where('role_id', '=', role.id).execute();
    await trx.updateTable('roles').set({ removed: new Date() }).where('id', '=', role.id).execute();
    await note(trx, caller, role, 'ROLE.DELETE', `deleted role ${role.name}`);
    return { success: true };
  }),
);

export const listRolePermissions = implement(specs.listRolePermissions, async ({ params, database }) => {
  const filter = { roleUuid: params.roleid, keyword: params.keyword };
  const { rows, count } = await listRolePermissionRows(database, filter, await pageFrom(database, params));
  return { list: rows.map(rolePermissionEntity), count };
});

export const createRolePermission = implement(
  specs.createRolePermission,
  async ({ params, database, caller }) =>
    database.transaction().execute(async (trx) => {
      const role = await ownRole(trx, params.roleid, 'roleid');
      const permission = readPermission(params.permission);
      if (!isRule(params.rule))
        throw invalidParameter('rule', 'must be a command that there is, or the beginning of one and *');
      const rules = await rulesOf(trx, role);
      if (rules.some(({ rule }) => rule.toLowerCase() === params.rule.toLowerCase()))
        throw invalidParameter('rule', `role ${role.name} has a rule for ${params.rule} already`);
      const uuid = randomUUID();
      await trx
        .insertInto('role_permissions')
        .values({
          uuid,
          role_id: role.id,
          rule: params.rule,
          permission,
          description: params.description ?? null,
          sort_order: rules.length,
        })
        .execute();
      await note(
        trx,
        caller,
        role,
        'ROLE.PERMISSION.CREATE',
        `${permission} ${params.rule}, role ${role.name}`,
      );
      const made = (await rulesOf(trx, role)).find((rule) => rule.uuid === uuid);
      if (!made) throw new Error(`the rule ${uuid} is gone`);
      return { object: rolePermissionEntity(made) };
    }),
);

export const updateRolePermission = implement(
  specs.updateRolePermission,
  async ({ params, database, caller }) =>
    database.transaction().execute(async (trx) => {
      const role = await ownRole(trx, params.roleid, 'roleid');
      const rules = await rulesOf(trx, role);
      if ((params.ruleid === undefined) === (params.ruleorder === undefined))
        throw invalidParameter('ruleid', 'or ruleorder must be given, and not both');
      if (params.ruleorder !== undefined) {
        const known = rules.map(({ uuid }) => uuid).sort();
        if (params.ruleorder.toSorted().join() !== known.join())
          throw invalidParameter('ruleorder', 'must name each rule of the role once');
        for (const [index, uuid] of params.ruleorder.entries())
          await trx
            .updateTable('role_permissions')
            .set({ sort_order: index })
            .where('uuid', '=', uuid)
            .execute();
      } else {
        if (params.permission === undefined) throw missingParameter('updateRolePermission', 'permission');
        const permission = readPermission(params.permission);
        if (!rules.some(({ uuid }) => uuid === params.ruleid))
          throw entityNotFound('ruleid', params.ruleid ?? '');
        await trx
          .updateTable('role_permissions')
          .set({ permission })
          .where('uuid', '=', params.ruleid ?? '')
          .execute();
      }
      await note(trx, caller, role, 'ROLE.PERMISSION.UPDATE', `changed the rules of role ${role.name}`);
      return { success: true };
    }),
);

export const deleteRolePermission = implement(
  specs.deleteRolePermission,
  async ({ params, database, caller }) =>
    database.transaction().execute(async (trx) => {
      const rule = await trx
        .selectFrom('role_permissions')
        .innerJoin('roles', 'roles.id', 'role_permissions.role_id')
        .where('role_permissions.uuid', '=', params.id)
        .select(['role_permissions.rule', 'roles.uuid as role_uuid'])
        .executeTakeFirst();
      if (!rule) throw entityNotFound('id', params.id);
      const role = await ownRole(trx, rule.role_uuid, 'id');
      await trx.deleteFrom('role_permissions').where('uuid', '=', params.id).execute();
      await note(trx, caller, role, 'ROLE.PERMISSION.DELETE', `deleted ${rule.rule} of role ${role.name}`);
      return { success: true };
    }),
);

/** A role that somebody made, locked: those that came with the cloud stay as they are. */
async function ownRole(executor: Executor, uuid: string, param: string): Promise<RoleRow> {
  await executor.selectFrom('roles').select('id').where('uuid', '=', uuid).forUpdate().executeTakeFirst();
  const role = await findRole(executor, uuid);
  if (!role) throw entityNotFound(param, uuid);
  if (role.is_default)
    throw invalidParameter(
      param,
      `${role.name} came with the cloud and stays: make a role of your own from it`,
    );
  return role;
}

async function rulesOf(executor: Executor, role: { readonly uuid: string }) {
  return (await listRolePermissionRows(executor, { roleUuid: role.uuid }, everything)).rows;
}

async function freeName(executor: Executor, text: string): Promise<string> {
  const name = text.trim();
  if (name === '' || /\p{Cc}/u.test(name)) throw invalidParameter('name', 'must be a name in one line');
  const taken = await executor
    .selectFrom('roles')
    .select('id')
    .where(sql<boolean>`lower(name) = ${name.toLowerCase()}`)
    .where('removed', 'is', null)
    .executeTakeFirst();
  if (taken) throw invalidParameter('name', `there is a role ${name} already`);
  return name;
}

function readPermission(text: string): 'allow' | 'deny' {
  const permission = text.toLowerCase();
  if (permission !== 'allow' && permission !== 'deny')
    throw invalidParameter('permission', 'must be allow or deny');
  return permission;
}

async function note(
  executor: Executor,
  caller: Caller,
  role: { readonly uuid: string },
  type: EventType,
  description: string,
): Promise<void> {
  await recordEvent(executor, {
    type,
    description,
    userId: caller.userId,
    accountId: caller.accountId,
    resourceType: 'Role',
    resourceUuid: role.uuid,
  });
}
