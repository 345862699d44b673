import type { EntityOf, sshKeyPairFields, userDataFields } from '@millrace/api';
import type { SshKeyPairRow } from '../../store/ssh-key-pairs.ts';
import type { UserDataRow } from '../../store/user-data.ts';

export function sshKeyPairEntity(row: SshKeyPairRow): EntityOf<typeof sshKeyPairFields> {
  return {
    id: row.uuid,
    name: row.keypair_name,
    fingerprint: row.fingerprint,
    account: row.account_name,
    domain: row.domain_name,
    domainid: row.domain_uuid,
    hasannotations: false,
  };
}

export function userDataEntity(row: UserDataRow): EntityOf<typeof userDataFields> {
  return {
    id: row.uuid,
    name: row.name,
    userdata: row.user_data,
    params: row.params ?? undefined,
    account: row.account_name,
    accountid: row.account_uuid,
    domain: row.domain_name,
    domainid: row.domain_uuid,
    hasannotations: false,
  };
}
