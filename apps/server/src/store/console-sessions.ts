import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { ConsoleKind } from '@millrace/agent-protocol';
import { sql } from 'kysely';
import type { Executor } from './database.ts';

export interface ConsolePermission {
  readonly kind: ConsoleKind;
  readonly userId: number;
  readonly accountId: number;
  readonly instanceId: number;
}

/** A page that is opened by hand must still find it good. */
const lifeSeconds = 60;
/** Spent ones are kept for a day: they say who opened a console, and when. */
const keepHours = 24;

/** The database keeps a digest only: whoever reads the table opens no console. */
function digest(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Gives one permission. @returns its token */
export async function giveConsolePermission(
  executor: Executor,
  permission: ConsolePermission,
): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  await executor
    .insertInto('console_session')
    .values({
      uuid: randomUUID(),
      token_hash: digest(token),
      kind: permission.kind,
      user_id: permission.userId,
      account_id: permission.accountId,
      instance_id: permission.instanceId,
      expires: sql<Date>`now() + make_interval(secs => ${lifeSeconds})`,
    })
    .execute();
  return token;
}

/** Takes a permission, which only one can; undefined when there is none, or no more. */
export async function takeConsolePermission(
  executor: Executor,
  token: string,
): Promise<ConsolePermission | undefined> {
  const row = await executor
    .updateTable('console_session')
    .set({ acquired: sql<Date>`now()` })
    .where('token_hash', '=', digest(token))
    .where('acquired', 'is', null)
    .where(sql<boolean>`expires > now()`)
    .returning(['kind', 'user_id', 'account_id', 'instance_id'])
    .executeTakeFirst();
  return row === undefined
    ? undefined
    : { kind: row.kind, userId: row.user_id, accountId: row.account_id, instanceId: row.instance_id };
}

export async function deleteOldConsolePermissions(executor: Executor): Promise<void> {
  await executor
    .deleteFrom('console_session')
    .where(sql<boolean>`expires < now() - make_interval(hours => ${keepHours})`)
    .execute();
}
