import { MillraceError } from '@millrace/core';
import { sql } from 'kysely';
import type { Database, Executor } from './database.ts';
import { sealedColumns, sealedJsonColumns, sealFor } from './sealed-columns.ts';
import { createSecretKeys, readSecretKeys, type SecretKeys, sealedPrefix } from './secret-keys.ts';

/** Any constant will do: it only has to be the same in every server of this database. */
const sealingLock = 7_210_422;
const batchRows = 500;

/**
 * Opens the keys that seal this database's secrets, and seals what is still in clear or sealed with a key that is no
 * longer the first. The first server makes the key file; servers that come later must be given it.
 * @param database opened without keys: what stands in the columns is seen as it is
 * @param path of the key file
 * @throws MillraceError `SECRET_KEY_MISSING` when the database was sealed with a key that the file lacks, and
 * `SECRET_KEY_UNUSABLE` when the file cannot be used
 */
export async function openSealing(
  database: Database,
  path: string,
): Promise<{ readonly keys: SecretKeys; readonly sealed: number }> {
  const keys = await agreeOnKeys(database, path);
  return { keys, sealed: await sealAll(database, keys, path) };
}

async function agreeOnKeys(database: Database, path: string): Promise<SecretKeys> {
  return database.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(${sealingLock})`.execute(trx);
    const check = await trx.selectFrom('sealing_check').select('text').executeTakeFirst();
    const kept = await readSecretKeys(path);
    if (check !== undefined) {
      if (kept === undefined || kept.unseal(check.text) === check.text)
        throw missing(path, kept !== undefined);
      return kept;
    }
    const keys = kept ?? (await createSecretKeys(path));
    await trx
      .insertInto('sealing_check')
      .values({ text: keys.seal('millrace') })
      .execute();
    return keys;
  });
}

function missing(path: string, isThere: boolean): MillraceError {
  return new MillraceError(
    'SECRET_KEY_MISSING',
    `the secrets in the database are sealed with a key that ${isThere ? `${path} does not hold` : `is not on this machine: there is no ${path}`}. ` +
      `Copy the key file of another server of this database there, or the one of your backup`,
  );
}

async function sealAll(database: Database, keys: SecretKeys, path: string): Promise<number> {
  let count = 0;
  for (const [table, columns] of Object.entries(sealedColumns)) {
    // a view of data_store: its rows are sealed there
    if (table === 'storage_pool') continue;
    for (const column of columns)
      for (;;) {
        const done = await database
          .transaction()
          .execute((trx) => sealBatch(trx, { keys, table, column, path }));
        count += done;
        if (done < batchRows) break;
      }
  }
  return count;
}

interface Column {
  readonly keys: SecretKeys;
  readonly table: string;
  readonly column: string;
  readonly path: string;
}

async function sealBatch(trx: Executor, { keys, table, column, path }: Column): Promise<number> {
  const name = `${table}.${column}`;
  const isJson = sealedJsonColumns.has(name);
  const [tableId, value] = [sql.id(table), sql.id(column)];
  const begin = (isJson ? '"' : '') + keys.current;
  const { rows } = await sql<{ place: string; text: string }>`
    select ctid::text as place, ${value}::text as text from ${tableId}
    where ${value} is not null and not starts_with(${value}::text, ${begin})
    limit ${batchRows} for update`.execute(trx);
  for (const { place, text } of rows) {
    const sealed = sealFor(keys, name, clear({ keys, text, isJson, path }));
    await sql`update ${tableId} set ${value} = ${sealed}${sql.raw(isJson ? '::jsonb' : '')} where ctid = ${place}::tid`.execute(
      trx,
    );
  }
  return rows.length;
}

/** @throws MillraceError `SECRET_KEY_MISSING` when it is sealed with a key that is not there */
function clear(found: {
  readonly keys: SecretKeys;
  readonly text: string;
  readonly isJson: boolean;
  readonly path: string;
}): string {
  const stored: unknown = found.isJson ? JSON.parse(found.text) : found.text;
  if (typeof stored !== 'string' || !stored.startsWith(sealedPrefix)) return found.text;
  const open = found.keys.unseal(stored);
  if (open === stored) throw missing(found.path, true);
  return found.isJson ? JSON.stringify(open) : String(open);
}
