import {
  type accountFields,
  type domainFields,
  type EntityOf,
  formatDate,
  type roleFields,
  type rolePermissionFields,
} from '@millrace/api';
import { type Amounts, type ResourceName, unlimited } from '../../domain/resource-types.ts';
import type { AccountRow } from '../../store/accounts.ts';
import type { Executor } from '../../store/database.ts';
import type { DomainRow } from '../../store/domains.ts';
import { everything } from '../../store/paging.ts';
import { limitsOfAccounts, limitsOfDomains, usedResources } from '../../store/resource-limits.ts';
import type { listRolePermissionRows } from '../../store/roles.ts';
import type { Row } from '../../store/schema.ts';
import { listUserRows } from '../../store/users.ts';
import { displayedDomainPath } from './domain-path.ts';
import { userEntity } from './user.ts';

/** CloudStack's word where there is no limit. */
const unlimitedWord = 'Unlimited';

/** Domains, with what they and those below them have and may have. */
export async function domainEntities(
  executor: Executor,
  rows: readonly DomainRow[],
): Promise<EntityOf<typeof domainFields>[]> {
  const limits = await limitsOfDomains(executor, rows);
  return Promise.all(
    rows.map(async (row) => ({
      id: row.uuid,
      name: row.name,
      path: displayedDomainPath(row.path),
      level: row.level,
      state: 'Active',
      created: formatDate(row.created),
      parentdomainid: row.parent_uuid ?? undefined,
      parentdomainname: row.parent_name ?? undefined,
      haschild: row.has_child,
      ...amountFields(await usedResources(executor, { domainPath: row.path }), limits.get(row.id) ?? {}),
    })),
  );
}

/** Accounts with their users, and with what they have and may have. */
export async function accountEntities(
  executor: Executor,
  rows: readonly AccountRow[],
): Promise<EntityOf<typeof accountFields>[]> {
  const limits = await limitsOfAccounts(executor, rows);
  return Promise.all(
    rows.map(async (row) => {
      const scope = { kind: 'account', accountId: row.id } as const;
      const users = await listUserRows(executor, { scope }, everything);
      const used = await usedResources(executor, { accountId: row.id });
      return {
        ...accountEntity(row),
        ...amountFields(used, limits.get(row.id) ?? {}),
        user: users.rows.map(userEntity),
      };
    }),
  );
}

function accountEntity(row: AccountRow): EntityOf<typeof accountFields> {
  return {
    id: row.uuid,
    name: row.account_name,
    accounttype: row.type,
    state: row.state,
    created: formatDate(row.created),
    domain: row.domain_name,
    domainid: row.domain_uuid,
    domainpath: displayedDomainPath(row.domain_path),
    roleid: row.role_uuid,
    rolename: row.role_name,
    roletype: row.role_type,
    isdefault: false,
    iscleanuprequired: false,
    vmrunning: row.running,
    vmstopped: row.stopped,
  };
}

function amountFields(used: Required<Amounts>, limits: Amounts) {
  const limitOf = (name: ResourceName) => limits[name] ?? unlimited;
  const said = (amount: number) => (amount === unlimited ? unlimitedWord : String(amount));
  const left = (name: ResourceName) =>
    limitOf(name) === unlimited ? unlimitedWord : String(Math.max(0, limitOf(name) - used[name]));
  return {
    vmtotal: used.user_vm,
    vmlimit: said(limitOf('user_vm')),
    vmavailable: left('user_vm'),
    volumetotal: used.volume,
    volumelimit: said(limitOf('volume')),
    volumeavailable: left('volume'),
    templatetotal: used.template,
    templatelimit: said(limitOf('template')),
    templateavailable: left('template'),
    cputotal: used.cpu,
    cpulimit: said(limitOf('cpu')),
    cpuavailable: left('cpu'),
    memorytotal: used.memory,
    memorylimit: said(limitOf('memory')),
    memoryavailable: left('memory'),
    primarystoragetotal: used.primary_storage,
    primarystoragelimit: said(limitOf('primary_storage')),
    primarystorageavailable: left('primary_storage'),
  };
}

export function roleEntity(row: Row<'roles'>): EntityOf<typeof roleFields> {
  return {
    id: row.uuid,
    name: row.name,
    type: row.role_type,
    description: row.description ?? undefined,
    isdefault: row.is_default,
  };
}

type PermissionRow = Awaited<ReturnType<typeof listRolePermissionRows>>['rows'][number];

export function rolePermissionEntity(row: PermissionRow): EntityOf<typeof rolePermissionFields> {
  return {
    id: row.uuid,
    roleid: row.role_uuid,
    rolename: row.role_name,
    rule: row.rule,
    permission: row.permission,
    description: row.description ?? undefined,
  };
}
