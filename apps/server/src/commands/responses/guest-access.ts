import type { EntityOf, sshKeyPairFields, userDataFields } from '@millrace/api';
import type { Executor } from '../../store/database.ts';
import type { SshKeyPairRow } from '../../store/ssh-key-pairs.ts';
import { toldUserData, type UserDataRow } from '../../store/user-data.ts';

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

export async function userDataEntities(
  executor: Executor,
  rows: readonly UserDataRow[],
): Promise<EntityOf<typeof userDataFields>[]> {
  const ids = rows.map((row) => row.id);
  const texts = await toldUserData(executor, 'user_data', ids);
  return rows.map((row) => userDataEntity(row, texts.get(row.id)));
}

function userDataEntity(row: UserDataRow, text: string | undefined): EntityOf<typeof userDataFields> {
  return {
    id: row.uuid,
    name: row.name,
    userdata: text,
    params: row.params ?? undefined,
    account: row.account_name,
    accountid: row.account_uuid,
    domain: row.domain_name,
    domainid: row.domain_uuid,
    hasannotations: false,
  };
}
