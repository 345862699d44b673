import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Executor } from '../store/database.ts';
import {
  deleteExpiredSessions,
  deleteSession,
  findSession,
  insertSession,
  type SessionLife,
  touchSession,
} from '../store/sessions.ts';
import { readSetting } from '../store/settings.ts';

/** What a client keeps: the id as cookie JSESSIONID, the key as cookie and as parameter of every call. */
export interface OpenSession {
  readonly id: string;
  readonly key: string;
}

/** The cookies' names are CloudStack's: clients look for them. */
export const sessionCookie = 'JSESSIONID';
export const sessionKeyCookie = 'sessionkey';

/** The database keeps digests only: whoever reads the table gets into no session. */
function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export async function openSession(executor: Executor, userId: number): Promise<OpenSession> {
  const session = {
    id: randomBytes(32).toString('base64url'),
    key: randomBytes(32).toString('base64url'),
  };
  await insertSession(executor, { idHash: digest(session.id), keyHash: digest(session.key), userId });
  return session;
}

/** The user of a session whose key matches and which was used lately; its time starts anew. */
export async function userOfSession(executor: Executor, session: OpenSession): Promise<number | undefined> {
  const idHash = digest(session.id);
  const row = await findSession(executor, idHash, await sessionLife(executor));
  if (!row) return undefined;
  const matches = timingSafeEqual(Buffer.from(digest(session.key)), Buffer.from(row.session_key_hash));
  if (!matches) return undefined;
  await touchSession(executor, idHash);
  return row.user_id;
}

export async function closeSession(executor: Executor, id: string): Promise<void> {
  await deleteSession(executor, digest(id));
}

async function sessionLife(executor: Executor): Promise<SessionLife> {
  return {
    idleSeconds: await readSetting(executor, 'session.timeout'),
    mostSeconds: await readSetting(executor, 'session.lifetime'),
  };
}

export async function sweepSessions(executor: Executor): Promise<number> {
  return deleteExpiredSessions(executor, await sessionLife(executor));
}
