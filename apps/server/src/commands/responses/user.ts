import { type EntityOf, formatDate, type userFields } from '@millrace/api';
import type { UserRow } from '../../store/users.ts';

export type UserEntity = EntityOf<typeof userFields>;

/** A user, never with the secret key: getUserKeys tells that to whoever may know it. */
export function userEntity(row: UserRow): UserEntity {
  return {
    id: row.uuid,
    username: row.username,
    firstname: row.firstname,
    lastname: row.lastname,
    email: row.email,
    state: row.state,
    timezone: row.timezone ?? undefined,
    created: formatDate(row.created),
    account: row.account_name,
    accountid: row.account_uuid,
    accounttype: row.account_type,
    domainid: row.domain_uuid,
    domain: row.domain_name,
    roleid: row.role_uuid,
    rolename: row.role_name,
    roletype: row.role_type,
    apikey: row.api_key ?? undefined,
    usersource: 'native',
    is2faenabled: false,
    is2famandated: false,
    iscallerchilddomain: false,
    isdefault: false,
  };
}
