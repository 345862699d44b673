import { sql } from 'kysely';
import type { Executor } from './database.ts';

export interface NewSession {
  readonly idHash: string;
  readonly keyHash: string;
  readonly userId: number;
}

export async function insertSession(executor: Executor, session: NewSession): Promise<void> {
  await executor
    .insertInto('user_session')
    .values({ id: session.idHash, session_key_hash: session.keyHash, user_id: session.userId })
    .execute();
}

/** How long sessions last: since they were used, and at all. */
export interface SessionLife {
  readonly idleSeconds: number;
  readonly mostSeconds: number;
}

/** A session that has not ended. */
export async function findSession(executor: Executor, idHash: string, life: SessionLife) {
  return executor
    .selectFrom('user_session')
    .selectAll()
    .where('id', '=', idHash)
    .where(sql<boolean>`last_used > now() - make_interval(secs => ${life.idleSeconds})`)
    .where(sql<boolean>`created > now() - make_interval(secs => ${life.mostSeconds})`)
    .executeTakeFirst();
}

/** Notes a use, at most once in ten seconds: a list page makes many calls at once. */
export async function touchSession(executor: Executor, idHash: string): Promise<void> {
  await executor
    .updateTable('user_session')
    .set({ last_used: sql<Date>`now()` })
    .where('id', '=', idHash)
    .where(sql<boolean>`last_used < now() - interval '10 seconds'`)
    .execute();
}

export async function deleteSession(executor: Executor, idHash: string): Promise<void> {
  await executor.deleteFrom('user_session').where('id', '=', idHash).execute();
}

/** @returns how many sessions had expired */
export async function deleteExpiredSessions(executor: Executor, life: SessionLife): Promise<number> {
  const result = await executor
    .deleteFrom('user_session')
    .where(
      sql<boolean>`last_used <= now() - make_interval(secs => ${life.idleSeconds})
        or created <= now() - make_interval(secs => ${life.mostSeconds})`,
    )
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}
