import { MillraceError } from '@millrace/core';
import { sql } from 'kysely';
import { jobStatus } from './async-jobs.ts';
import type { Executor } from './database.ts';
import type { Row } from './schema.ts';

/**
 * A template's copy on a pool: a row that is also the lease on making it. Whoever holds the lease transfers; everybody
 * else follows `transfer_progress`, and shares the end of the transfer, good or bad.
 */
export type SpoolRow = Row<'template_spool_ref'>;

/** A lease that is not renewed for this long may be taken by whoever waits. Longer than a job's own takeover takes. */
export const leaseMs = 15_000;

export type SpoolClaim =
  | { readonly kind: 'ready'; readonly row: SpoolRow }
  /** The caller makes the copy, in transfer number `generation`. */
  | { readonly kind: 'owner'; readonly spoolId: number; readonly generation: number }
  | { readonly kind: 'follower'; readonly row: SpoolRow }
  /** The copy is being removed: its template was deleted, or nobody used it. */
  | { readonly kind: 'going' };

export interface SpoolKey {
  readonly poolId: number;
  readonly templateId: number;
}

/**
 * Finds the copy, or takes the lease on making it. The same owner (a job's next worker) gets the same transfer again.
 * Must run in a transaction.
 */
export async function claimTemplate(executor: Executor, key: SpoolKey, owner: string): Promise<SpoolClaim> {
  await executor
    .insertInto('template_spool_ref')
    .values({
      pool_id: key.poolId,
      template_id: key.templateId,
      download_state: 'NOT_DOWNLOADED',
      state: 'Allocated',
    })
    .onConflict((conflict) => conflict.columns(['pool_id', 'template_id']).doNothing())
    .execute();
  const row = await lockSpool(executor, key);
  if (row.marked_for_gc) return { kind: 'going' };
  if (row.state === 'Ready') {
    await noteUse(executor, key);
    return { kind: 'ready', row };
  }
  if (row.lease_owner === owner) {
    await renewLease(executor, { spoolId: row.id, owner, generation: row.generation });
    return { kind: 'owner', spoolId: row.id, generation: row.generation };
  }
  if (row.lease_owner !== null && !(await leaseIsVoid(executor, row))) return { kind: 'follower', row };
  const generation = row.generation + 1;
  await executor
    .updateTable('template_spool_ref')
    .set({
      job_id: owner,
      generation,
      lease_owner: owner,
      lease_until: leaseEnd,
      state: 'Allocated',
      download_state: 'DOWNLOAD_IN_PROGRESS',
      download_pct: 0,
      error_str: null,
      transfer_progress: null,
      last_updated: new Date(),
    })
    .where('id', '=', row.id)
    .execute();
  return { kind: 'owner', spoolId: row.id, generation };
}

/** From now on the copy counts as used just now. @returns whether there is one that is not being removed */
async function noteUse(executor: Executor, key: SpoolKey): Promise<boolean> {
  const { numUpdatedRows } = await executor
    .updateTable('template_spool_ref')
    .set({ last_used: sql`now()` })
    .where('pool_id', '=', key.poolId)
    .where('template_id', '=', key.templateId)
    .where('marked_for_gc', '=', false)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** The copy's row without waiting for anybody. */
export async function readSpool(executor: Executor, key: SpoolKey): Promise<SpoolRow | undefined> {
  return executor
    .selectFrom('template_spool_ref')
    .selectAll()
    .where('pool_id', '=', key.poolId)
    .where('template_id', '=', key.templateId)
    .executeTakeFirst();
}

/** A copy whose file has vanished is no copy. Only the copy that was looked at is forgotten, not a newer one. */
export async function forgetVanished(executor: Executor, row: SpoolRow): Promise<void> {
  await executor
    .updateTable('template_spool_ref')
    .set({ state: 'Allocated', download_state: 'NOT_DOWNLOADED', download_pct: 0, last_updated: new Date() })
    .where('id', '=', row.id)
    .where('state', '=', 'Ready')
    .where('generation', '=', row.generation)
    .execute();
}

export interface SpoolLease {
  readonly spoolId: number;
  readonly owner: string;
  readonly generation: number;
}

/** Shows that the owner lives, and how far it is. @returns false when the lease was taken by another job */
export async function renewLease(
  executor: Executor,
  lease: SpoolLease,
  progress?: { readonly percent: number; readonly value: object },
): Promise<boolean> {
  const result = await executor
    .updateTable('template_spool_ref')
    .set({
      lease_until: leaseEnd,
      last_updated: new Date(),
      ...(progress === undefined
        ? {}
        : { download_pct: progress.percent, transfer_progress: JSON.stringify(progress.value) }),
    })
    .where('id', '=', lease.spoolId)
    .where('lease_owner', '=', lease.owner)
    .where('generation', '=', lease.generation)
    .executeTakeFirst();
  return result.numUpdatedRows > 0n;
}

/** The file is there, whole and verified. */
export async function completeTransfer(
  executor: Executor,
  lease: SpoolLease,
  copy: {
    readonly installPath: string;
    readonly sizeBytes: number;
    readonly checksum: string | null;
    /** Whether the checksum was computed from the bytes. */
    readonly digestComputed: boolean;
    /** Of the file as it is stored, when it is known. */
    readonly fileDigest: string | null;
  },
): Promise<void> {
  await executor
    .updateTable('template_spool_ref')
    .set({
      state: 'Ready',
      download_state: 'DOWNLOADED',
      download_pct: 100,
      local_path: copy.installPath,
      install_path: copy.installPath,
      template_size: copy.sizeBytes,
      checksum: copy.checksum,
      digest_computed: copy.digestComputed,
      file_digest: copy.fileDigest,
      checked: copy.fileDigest === null ? null : sql<Date>`now()`,
      last_used: sql`now()`,
      error_str: null,
      failure: null,
      lease_owner: null,
      lease_until: null,
      transfer_progress: null,
      last_updated: new Date(),
    })
    .where('id', '=', lease.spoolId)
    .where('generation', '=', lease.generation)
    .execute();
}

/**
 * The transfer failed, and left nothing. The failure is kept with its generation: those who followed this transfer fail
 * with it, and who comes later starts a new one.
 */
export async function failTransfer(
  executor: Executor,
  lease: SpoolLease,
  failure: { readonly message: string },
): Promise<void> {
  await executor
    .updateTable('template_spool_ref')
    .set({
      state: 'Failed',
      download_state: 'DOWNLOAD_ERROR',
      error_str: failure.message,
      failure: JSON.stringify({ generation: lease.generation, failure }),
      lease_owner: null,
      lease_until: null,
      transfer_progress: null,
      last_updated: new Date(),
    })
    .where('id', '=', lease.spoolId)
    .where('lease_owner', '=', lease.owner)
    .where('generation', '=', lease.generation)
    .execute();
}

/**
 * Makes sure that a copy is not being removed, nor will be before the transaction has ended. Called in the transaction
 * that writes the row of a disk on it: from then on the disk keeps it.
 * @throws MillraceError `TEMPLATE_DELETED`
 */
export async function holdCopy(executor: Executor, key: SpoolKey): Promise<void> {
  if (!(await noteUse(executor, key)))
    throw new MillraceError('TEMPLATE_DELETED', 'the template was deleted meanwhile');
}

/**
 * The digest of the transfer that the disks on a copy were made from. Should the copy have to be fetched again, it must
 * be these very bytes: disks on any others would be corrupt. Undefined when no disk is on it, or the digest is unknown.
 */
export async function digestBelowDisks(executor: Executor, key: SpoolKey): Promise<string | undefined> {
  const row = await executor
    .selectFrom('template_spool_ref')
    .innerJoin('volumes', (join) =>
      join
        .onRef('volumes.pool_id', '=', 'template_spool_ref.pool_id')
        .onRef('volumes.template_id', '=', 'template_spool_ref.template_id')
        .on('volumes.state', '=', 'Ready'),
    )
    .where('template_spool_ref.pool_id', '=', key.poolId)
    .where('template_spool_ref.template_id', '=', key.templateId)
    .select('template_spool_ref.checksum')
    .limit(1)
    .executeTakeFirst();
  return row?.checksum ?? undefined;
}

// the database's clock: servers' clocks need not agree
const leaseLength = sql<string>`${`${leaseMs} milliseconds`}::interval`;
const leaseEnd = sql<Date>`now() + ${leaseLength}`;

async function lockSpool(executor: Executor, key: SpoolKey): Promise<SpoolRow> {
  return executor
    .selectFrom('template_spool_ref')
    .selectAll()
    .where('pool_id', '=', key.poolId)
    .where('template_id', '=', key.templateId)
    .forUpdate()
    .executeTakeFirstOrThrow();
}

/** Whether whoever made the copy is not heard of any more. */
export async function leaseIsVoid(executor: Executor, row: SpoolRow): Promise<boolean> {
  const { rows } = await sql<{ expired: boolean; running: boolean }>`
    select ${row.lease_until}::timestamptz is null
        -- nobody can renew anything while the database is away
        or greatest(${row.lease_until}::timestamptz, pg_postmaster_start_time() + ${leaseLength}) < now() as expired,
      exists (select from async_job where uuid::text = ${row.lease_owner} and job_status = ${jobStatus.pending}) as running
  `.execute(executor);
  const found = rows[0];
  return !found || found.expired || !found.running;
}
