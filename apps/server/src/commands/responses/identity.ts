import {
  type accountFields,
  type domainFields,
  type EntityOf,
  formatDate,
  type roleFields,
  type rolePermissionFields,
} from '@millrace/api';
import type { AccountRow } from '../../store/accounts.ts';
import type { Executor } from '../../store/database.ts';
import type { DomainRow } from '../../store/domains.ts';
import { everything } from '../../store/paging.ts';
import type { listRolePermissionRows } from '../../store/roles.ts';
import type { Row } from '../../store/schema.ts';
import { listUserRows } from '../../store/users.ts';
import { displayedDomainPath } from './domain-path.ts';
import { userEntity } from './user.ts';

/** CloudStack's word where there is no limit. */
const unlimited = 'Unlimited';

export function domainEntity(row: DomainRow): EntityOf<typeof domainFields> {
  return {
    id: row.uuid,
    name: row.name,
    path: displayedDomainPath(row.path),
    level: row.level,
    state: 'Active',
    created: formatDate(row.created),
    parentdomainid: row.parent_uuid ?? undefined,
    parentdomainname: row.parent_name ?? undefined,
    haschild: row.has_child,
    vmtotal: row.instances,
    vmlimit: unlimited,
    vmavailable: unlimited,
    volumetotal: row.volumes,
    volumelimit: unlimited,
    volumeavailable: unlimited,
    templatetotal: row.templates,
    templatelimit: unlimited,
    templateavailable: unlimited,
  };
}

/** Accounts with their users. */
export async function accountEntities(
  executor: Executor,
  rows: readonly AccountRow[],
): Promise<EntityOf<typeof accountFields>[]> {
  return Promise.all(
    rows.map(async (row) => {
      const scope = { kind: 'account', accountId: row.id } as const;
      const users = await listUserRows(executor, { scope }, everything);
      return { ...accountEntity(row), user: users.rows.map(userEntity) };
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
    vmtotal: row.instances,
    vmrunning: row.running,
    vmstopped: row.stopped,
    vmlimit: unlimited,
    vmavailable: unlimited,
    volumetotal: row.volumes,
    volumelimit: unlimited,
    volumeavailable: unlimited,
    templatetotal: row.templates,
    templatelimit: unlimited,
    templateavailable: unlimited,
    cputotal: row.cpus,
    cpulimit: unlimited,
    cpuavailable: unlimited,
    memorytotal: row.memory_mib,
    memorylimit: unlimited,
    memoryavailable: unlimited,
    primarystoragetotal: row.volume_gib,
    primarystoragelimit: unlimited,
    primarystorageavailable: unlimited,
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
