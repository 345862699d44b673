import { Kysely, PostgresDialect, type Transaction } from 'kysely';
import pg from 'pg';
import type { Tables } from './schema.ts';
import { sealingPlugin } from './sealed-columns.ts';
import type { SecretKeys } from './secret-keys.ts';

export type Database = Kysely<Tables>;
/** Either the database or an open transaction on it. */
export type Executor = Database | Transaction<Tables>;

/**
 * Opens a pool of connections. bigint arrives as a JavaScript number: identifiers and sizes in bytes stay far below
 * 2^53, and numbers are what the API must emit.
 * @param options.keys seal and open the secrets in it; without them secrets are written in clear, and sealed ones are
 * read as they are
 */
export function openDatabase(
  connectionString: string,
  { poolSize = 10, keys }: { readonly poolSize?: number; readonly keys?: SecretKeys } = {},
): Database {
  const types = {
    getTypeParser: (oid: number, format?: 'text' | 'binary') =>
      oid === pg.types.builtins.INT8
        ? (value: string) => Number(value)
        : pg.types.getTypeParser(oid, format ?? 'text'),
  };
  const pool = new pg.Pool({
    connectionString,
    max: poolSize,
    // the API must answer within its clients' ten seconds even when the database is away
    connectionTimeoutMillis: 5000,
    // a database machine that vanishes without a word must end its connections, or queries wait for ever
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: types as pg.CustomTypesConfig,
  });
  // an idle connection that breaks is replaced by the pool; without a listener it would end the process
  pool.on('error', () => {});
  // nor must one that breaks while it is in use: its query fails and tells, but the client speaks up besides
  pool.on('connect', (client) => client.on('error', () => {}));
  return new Kysely<Tables>({
    dialect: new PostgresDialect({ pool }),
    plugins: keys === undefined ? [] : [sealingPlugin(keys)],
  });
}
