import { sql } from 'kysely';
import type { Executor } from './database.ts';
import type { SpoolKey } from './template-spool.ts';

/** A whole copy of a template, in a place from which hosts may get it. */
export interface StoredCopy {
  readonly spoolId: number;
  readonly poolId: number;
  readonly poolName: string;
  readonly role: 'Primary' | 'Image';
  readonly zoneId: number;
  readonly installPath: string;
  /** `{ALG}hex` of the bytes that its source sent. */
  readonly checksum: string | null;
  readonly digestComputed: boolean;
  /** `{ALG}hex` of the file, when it was read back. */
  readonly fileDigest: string | null;
  readonly generation: number;
}

/**
 * A template's whole copies where files can be served from, the best place to get one first: image stores of the zone,
 * image stores of others, then storage pools (of the zone first).
 */
export async function storedCopies(
  executor: Executor,
  templateId: number,
  zoneId: number,
): Promise<StoredCopy[]> {
  const rows = await executor
    .selectFrom('template_spool_ref')
    .innerJoin('data_store', 'data_store.id', 'template_spool_ref.pool_id')
    .where('template_spool_ref.template_id', '=', templateId)
    .where('template_spool_ref.state', '=', 'Ready')
    .where('template_spool_ref.marked_for_gc', '=', false)
    .where('template_spool_ref.install_path', 'is not', null)
    .where('data_store.removed', 'is', null)
    // an image there is no file
    .where('data_store.pool_type', '!=', 'RBD')
    .select([
      'template_spool_ref.id as spoolId',
      'template_spool_ref.pool_id as poolId',
      'data_store.name as poolName',
      'data_store.role',
      'data_store.data_center_id as zoneId',
      sql<string>`template_spool_ref.install_path`.as('installPath'),
      'template_spool_ref.checksum',
      'template_spool_ref.digest_computed as digestComputed',
      'template_spool_ref.file_digest as fileDigest',
      'template_spool_ref.generation',
    ])
    .orderBy(sql`data_store.role = 'Primary'`)
    .orderBy(sql`data_store.data_center_id <> ${zoneId}`)
    .orderBy('template_spool_ref.id')
    .execute();
  return rows;
}

/** A template's whole copy in one place. */
export async function storedCopyOn(
  executor: Executor,
  key: SpoolKey,
): Promise<Pick<StoredCopy, 'spoolId' | 'poolId' | 'installPath' | 'fileDigest' | 'generation'> | undefined> {
  return executor
    .selectFrom('template_spool_ref')
    .where('template_id', '=', key.templateId)
    .where('pool_id', '=', key.poolId)
    .where('state', '=', 'Ready')
    .where('marked_for_gc', '=', false)
    .where('install_path', 'is not', null)
    .select([
      'id as spoolId',
      'pool_id as poolId',
      sql<string>`install_path`.as('installPath'),
      'file_digest as fileDigest',
      'generation',
    ])
    .executeTakeFirst();
}

/** Hosts that reach a place and serve images. */
export async function serversOf(executor: Executor, poolId: number) {
  const rows = await executor
    .selectFrom('storage_pool_host_ref')
    .innerJoin('host', 'host.id', 'storage_pool_host_ref.host_id')
    .where('storage_pool_host_ref.pool_id', '=', poolId)
    .where('host.removed', 'is', null)
    .where('host.image_host_url', 'is not', null)
    .select([
      'host.id as hostId',
      'host.name',
      sql<string>`host.image_host_url`.as('hostUrl'),
      sql<string>`coalesce(host.image_public_url, host.image_host_url)`.as('publicUrl'),
    ])
    // a machine that is there for it goes before one that runs instances
    .orderBy(sql`host.type = 'Routing'`)
    .orderBy('host.id')
    .execute();
  return rows;
}

/** Keeps what a file was found to be. Only of the copy that was looked at, not of a newer one. */
export async function recordFileDigest(
  executor: Executor,
  copy: Pick<StoredCopy, 'spoolId' | 'generation'>,
  fileDigest: string,
): Promise<void> {
  await executor
    .updateTable('template_spool_ref')
    .set({ file_digest: fileDigest, checked: sql`now()` })
    .where('id', '=', copy.spoolId)
    .where('generation', '=', copy.generation)
    .execute();
}
