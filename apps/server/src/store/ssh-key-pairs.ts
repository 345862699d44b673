import { sql } from 'kysely';
import type { Executor } from './database.ts';
import { containing, type OwnerScope, ownedBy } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';
import type { NewRow, SshKey } from './schema.ts';

export interface SshKeyPairFilter {
  readonly scope: OwnerScope;
  readonly uuid?: string | undefined;
  readonly name?: string | undefined;
  readonly fingerprint?: string | undefined;
  readonly keyword?: string | undefined;
}

export async function listSshKeyPairRows(executor: Executor, filter: SshKeyPairFilter, page: Page) {
  let query = executor
    .selectFrom('ssh_keypairs')
    .innerJoin('account', 'account.id', 'ssh_keypairs.account_id')
    .innerJoin('domain', 'domain.id', 'account.domain_id')
    .where(ownedBy(filter.scope));
  if (filter.uuid !== undefined) query = query.where('ssh_keypairs.uuid', '=', filter.uuid);
  if (filter.name !== undefined) query = query.where('ssh_keypairs.keypair_name', '=', filter.name);
  if (filter.fingerprint !== undefined)
    query = query.where('ssh_keypairs.fingerprint', '=', filter.fingerprint);
  if (filter.keyword !== undefined)
    query = query.where('ssh_keypairs.keypair_name', 'ilike', containing(filter.keyword));
  const rows = query
    .select([
      'ssh_keypairs.uuid',
      'ssh_keypairs.keypair_name',
      'ssh_keypairs.fingerprint',
      'account.account_name',
      'domain.uuid as domain_uuid',
      'domain.name as domain_name',
    ])
    .orderBy('ssh_keypairs.id');
  return pageOf(rows, page);
}

export type SshKeyPairRow = Awaited<ReturnType<typeof listSshKeyPairRows>>['rows'][number];

/** @returns false when the account has a pair of this name or this key */
export async function insertSshKeyPair(executor: Executor, row: NewRow<'ssh_keypairs'>): Promise<boolean> {
  const result = await executor
    .insertInto('ssh_keypairs')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/** @returns the UUID of the pair that was there */
export async function deleteSshKeyPairRow(
  executor: Executor,
  accountId: number,
  name: string,
): Promise<string | undefined> {
  const row = await executor
    .deleteFrom('ssh_keypairs')
    .where('account_id', '=', accountId)
    .where('keypair_name', '=', name)
    .returning('uuid')
    .executeTakeFirst();
  return row?.uuid;
}

/** The key pairs of an account that have these names. */
export async function sshKeysNamed(
  executor: Executor,
  accountId: number,
  names: readonly string[],
): Promise<SshKey[]> {
  const rows = await executor
    .selectFrom('ssh_keypairs')
    .select(['keypair_name', 'public_key'])
    .where('account_id', '=', accountId)
    .where('keypair_name', '=', sql<string>`any(${names})`)
    .execute();
  return rows.map((row) => ({ name: row.keypair_name, publicKey: row.public_key }));
}
