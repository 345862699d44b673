import { sql } from 'kysely';
import { jobStatus } from './async-jobs.ts';
import type { Executor } from './database.ts';
import { leaseIsVoid, type SpoolKey } from './template-spool.ts';

/**
 * The removal of a template's copy from a pool: the row is marked, the file removed, the row removed. Whoever marks it
 * holds the row's lease meanwhile, so that no second one removes the file of a copy that was made after the first.
 */

/** Longer than a host may take to remove a file: see the limit of `template.remove`. */
const removalLease = sql<Date>`now() + interval '180 seconds'`;

export interface Removal {
  /** Who removes: the next step of the same one finds its mark. */
  readonly operation: string;
  /** For the event, `nothing has used it for 30 days`. */
  readonly reason: string;
}

export type RemovalMark =
  | { readonly marked: true; readonly reason: string }
  /** In words, ending a sentence that begins with the copy. */
  | { readonly marked: false; readonly because: string };

/**
 * Marks a copy for removal when nothing needs it: no disk, no drive, no transfer, no pending job that will use it. One
 * that is marked already only has to be finished: nothing has been able to begin to use it since.
 * Must run in a transaction.
 */
export async function markForRemoval(
  executor: Executor,
  key: SpoolKey & { readonly rowId: number },
  removal: Removal,
): Promise<RemovalMark> {
  const row = await executor
    .selectFrom('template_spool_ref')
    .selectAll()
    .where('id', '=', key.rowId)
    .forUpdate()
    .executeTakeFirst();
  if (!row) return { marked: false, because: 'is gone already' };
  if (row.marked_for_gc) {
    const others = row.lease_owner !== null && row.lease_owner !== removal.operation;
    if (others && row.lease_until !== null && !(await isPast(executor, row.lease_until)))
      return { marked: false, because: 'is being removed' };
  } else {
    if (row.lease_owner !== null && !(await leaseIsVoid(executor, row)))
      return { marked: false, because: 'is on its way to the pool' };
    const user = await userOfCopy(executor, key);
    if (user !== undefined) return { marked: false, because: user };
  }
  const reason = row.removal_reason ?? removal.reason;
  await executor
    .updateTable('template_spool_ref')
    .set({
      marked_for_gc: true,
      removal_reason: reason,
      lease_owner: removal.operation,
      lease_until: removalLease,
      last_updated: new Date(),
    })
    .where('id', '=', row.id)
    .execute();
  return { marked: true, reason };
}

/** The host could not do it now: whoever looks next may try again. */
export async function letGoOfRemoval(executor: Executor, rowId: number, operation: string): Promise<void> {
  await executor
    .updateTable('template_spool_ref')
    .set({ lease_owner: null, lease_until: null })
    .where('id', '=', rowId)
    .where('marked_for_gc', '=', true)
    .where('lease_owner', '=', operation)
    .execute();
}

/** The file is gone. */
export async function deleteSpool(executor: Executor, rowId: number): Promise<void> {
  await executor
    .deleteFrom('template_spool_ref')
    .where('id', '=', rowId)
    .where('marked_for_gc', '=', true)
    .execute();
}

/** Who needs the copy, in words, ending a sentence that begins with the copy; undefined: nobody. */
export async function userOfCopy(executor: Executor, key: SpoolKey): Promise<string | undefined> {
  const disk = await executor
    .selectFrom('volumes')
    .leftJoin('vm_instance', 'vm_instance.id', 'volumes.instance_id')
    .where('volumes.pool_id', '=', key.poolId)
    .where('volumes.template_id', '=', key.templateId)
    // a destroyed disk's file is an overlay on the copy until it is gone
    .where('volumes.state', '!=', 'Expunged')
    .select(['volumes.name', 'vm_instance.name as vm_name'])
    .orderBy('volumes.id')
    .limit(1)
    .executeTakeFirst();
  if (disk) return `is below ${disk.name} of ${disk.vm_name ? `instance ${disk.vm_name}` : 'no instance'}`;
  const drive = await instanceWithInDrive(executor, key);
  if (drive !== undefined) return `is in the drive of instance ${drive}`;
  const job = await pendingJobOn(executor, key.templateId);
  return job && `is needed by ${job.job_cmd}, which runs as job ${job.uuid}`;
}

/** An instance with its disk on the pool that has the ISO in its drive: its next start needs the file there. */
async function instanceWithInDrive(executor: Executor, key: SpoolKey): Promise<string | undefined> {
  const row = await executor
    .selectFrom('vm_instance')
    .innerJoin('volumes', 'volumes.instance_id', 'vm_instance.id')
    .where('vm_instance.iso_id', '=', key.templateId)
    .where('vm_instance.removed', 'is', null)
    .where('volumes.pool_id', '=', key.poolId)
    .where('volumes.removed', 'is', null)
    .select('vm_instance.name')
    .limit(1)
    .executeTakeFirst();
  return row?.name;
}

/**
 * A job that brings the template to a pool and has no row yet that says so. Deployments and starts need not be looked
 * for: the rows of their disks name the template from the moment a pool is chosen.
 */
async function pendingJobOn(executor: Executor, templateId: number) {
  const { rows } = await sql<{ uuid: string; job_cmd: string }>`
    select uuid, job_cmd from async_job
    where job_status = ${jobStatus.pending}
      and ((job_cmd in ('prepareTemplate', 'restoreVirtualMachine') and job_cmd_info ->> 'templateId' = ${String(templateId)})
        or (job_cmd = 'attachIso' and job_cmd_info ->> 'isoId' = ${String(templateId)})
        or (job_cmd = 'restoreVirtualMachine' and exists (
          select from vm_instance where vm_instance.uuid = async_job.instance_uuid
            and vm_instance.vm_template_id = ${templateId})))
    order by id limit 1
  `.execute(executor);
  return rows[0];
}

async function isPast(executor: Executor, moment: Date): Promise<boolean> {
  const { rows } = await sql<{ past: boolean }>`select ${moment}::timestamptz < now() as past`.execute(
    executor,
  );
  return rows[0]?.past ?? true;
}
