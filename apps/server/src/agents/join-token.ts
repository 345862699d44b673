import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { joinTokenPattern } from '@millrace/agent-protocol';
import { MillraceError } from '@millrace/core';
import type { Executor } from '../store/database.ts';
import type { Row } from '../store/schema.ts';

/** A token is used within minutes of its making; an hour leaves room for a slow installation. */
export const joinTokenLifetimeMs = 3600 * 1000;

/**
 * Makes a token that lets one host join a cluster, once. Only the hash of its secret is kept.
 * @throws MillraceError `CLUSTER_UNKNOWN`
 */
export async function createJoinToken(
  executor: Executor,
  options: { readonly cluster?: string | undefined; readonly fingerprint: string; readonly now: Date },
): Promise<string> {
  const cluster = await findCluster(executor, options.cluster);
  return createJoinTokenFor(executor, { ...options, clusterId: cluster.id });
}

/** The same for a cluster that is known, and with `forHostId` for one host that was added by name. */
export async function createJoinTokenFor(
  executor: Executor,
  options: {
    readonly clusterId: number;
    readonly forHostId?: number;
    readonly fingerprint: string;
    readonly now: Date;
  },
): Promise<string> {
  const id = randomBytes(8).toString('hex');
  const secret = randomBytes(24).toString('base64url');
  await executor
    .insertInto('agent_join_token')
    .values({
      id,
      secret_hash: hashOf(secret).toString('hex'),
      cluster_id: options.clusterId,
      for_host_id: options.forHostId ?? null,
      expires: new Date(options.now.getTime() + joinTokenLifetimeMs),
    })
    .execute();
  return `mlr1.${id}.${secret}.${options.fingerprint}`;
}

async function findCluster(executor: Executor, name: string | undefined): Promise<Row<'cluster'>> {
  const clusters = await executor
    .selectFrom('cluster')
    .selectAll()
    .where('removed', 'is', null)
    .orderBy('id')
    .execute();
  const matching = name === undefined ? clusters : clusters.filter((cluster) => cluster.name === name);
  if (matching.length === 1) return matching[0]!;
  const names = clusters.map((cluster) => cluster.name).join(', ');
  throw new MillraceError(
    'CLUSTER_UNKNOWN',
    name !== undefined
      ? `there is no cluster ${name}; there are: ${names || 'none'}`
      : clusters.length === 0
        ? 'there is no cluster yet: start the server once, which makes one'
        : `there are ${clusters.length} clusters, name one of: ${names}`,
  );
}

/**
 * Finds the token and locks it until the transaction ends.
 * @throws MillraceError `JOIN_TOKEN_REFUSED`. Whether the id or the secret is wrong is not said.
 */
export async function lockJoinToken(
  executor: Executor,
  token: string,
  now: Date,
): Promise<Row<'agent_join_token'>> {
  const [, id = '', secret = ''] = joinTokenPattern.exec(token) ?? [];
  const row = await executor
    .selectFrom('agent_join_token')
    .selectAll()
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();
  // hashes have one length, and comparing takes the same time wherever they differ
  const expected = Buffer.from(row?.secret_hash ?? '0'.repeat(64), 'hex');
  const good = timingSafeEqual(expected, hashOf(secret));
  if (!row || !good) throw refused('it is unknown to this server: make a new one');
  if (row.host_id !== null) throw refused('it has been used: each admits one host, once. Make a new one');
  if (row.expires <= now) throw refused(`it expired at ${row.expires.toISOString()}: make a new one`);
  return row;
}

function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

function refused(reason: string): MillraceError {
  return new MillraceError('JOIN_TOKEN_REFUSED', `the join token is refused: ${reason}`);
}
