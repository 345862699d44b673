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

/** A session that was used within the last `idleSeconds`. */
export async function findSession(executor: Executor, idHash: string, idleSeconds: number) {
  return executor
    .selectFrom('user_session')
    .selectAll()
    .where('id', '=', idHash)
    .where(sql<boolean>`last_used > now() - make_interval(secs => ${idleSeconds})`)
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
export async function deleteExpiredSessions(executor: Executor, idleSeconds: number): Promise<number> {
  const result = await executor
    .deleteFrom('user_session')
    .where(sql<boolean>`last_used <= now() - make_interval(secs => ${idleSeconds})`)
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}
