import { sql } from 'kysely';
import type { Database } from './database.ts';

/** PEM. */
interface AuthorityPair {
  readonly key: string;
  readonly certificate: string;
}

/** Any constant will do: it only has to be the same in every server of this database. */
const authorityLock = 7_210_421;

/** The CA that all servers of this database use. `own` is asked, by one server at a time, only while there is none. */
export async function agreeOnAuthority(
  database: Database,
  own: () => Promise<AuthorityPair>,
): Promise<AuthorityPair> {
  return await database.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(${authorityLock})`.execute(trx);
    const row = await trx
      .selectFrom('certificate_authority')
      .select(['certificate', 'private_key'])
      .executeTakeFirst();
    if (row) return { key: row.private_key, certificate: row.certificate };
    const { key, certificate } = await own();
    await trx.insertInto('certificate_authority').values({ certificate, private_key: key }).execute();
    return { key, certificate };
  });
}
