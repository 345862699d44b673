import { type Database, openDatabase } from './database.ts';
import { migrate } from './migrate.ts';
import { openSealing } from './seal-secrets.ts';

export interface PreparedDatabase {
  readonly database: Database;
  /** Names of the migrations applied now. */
  readonly applied: readonly string[];
  /** How many secrets were sealed now that were in clear, or sealed with an older key. */
  readonly sealed: number;
}

/** Brings a database to the present schema, with all its secrets sealed, and opens it. @throws as `openSealing` */
export async function prepareDatabase({
  databaseUrl,
  keyFile,
  poolSize,
}: {
  readonly databaseUrl: string;
  readonly keyFile: string;
  readonly poolSize: number;
}): Promise<PreparedDatabase> {
  const plain = openDatabase(databaseUrl, { poolSize: 1 });
  try {
    const applied = await migrate(plain);
    const { keys, sealed } = await openSealing(plain, keyFile);
    return { database: openDatabase(databaseUrl, { poolSize, keys }), applied, sealed };
  } finally {
    await plain.destroy();
  }
}
