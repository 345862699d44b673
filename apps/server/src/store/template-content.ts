import { parseChecksum } from '@millrace/core';
import { sql } from 'kysely';
import type { Executor } from './database.ts';
import type { SpoolKey } from './template-spool.ts';

/**
 * Keeps the digest of what was committed of a template: its first one is version 1, and a source that yields other bytes
 * makes the next version.
 */
export async function recordContent(
  executor: Executor,
  content: { readonly templateId: number; readonly digest: string; readonly sizeBytes: number },
): Promise<void> {
  await sql`
    insert into template_content (template_id, version, digest, size_bytes)
    select ${content.templateId}::bigint, coalesce(max(version), 0) + 1, ${content.digest}, ${content.sizeBytes}::bigint
      from template_content where template_id = ${content.templateId}
    on conflict do nothing
  `.execute(executor);
}

/** The digest of the newest version among a template's copies on other pools. */
export async function digestOfOtherCopies(executor: Executor, key: SpoolKey): Promise<string | undefined> {
  const row = await executor
    .selectFrom('template_spool_ref')
    .innerJoin('template_content', (join) =>
      join
        .onRef('template_content.template_id', '=', 'template_spool_ref.template_id')
        .onRef('template_content.digest', '=', 'template_spool_ref.checksum'),
    )
    .where('template_spool_ref.template_id', '=', key.templateId)
    .where('template_spool_ref.pool_id', '!=', key.poolId)
    .where('template_spool_ref.state', '=', 'Ready')
    .where('template_spool_ref.marked_for_gc', '=', false)
    .select('template_content.digest')
    .orderBy('template_content.version', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.digest;
}

/** The digest of a template's newest version, whether a copy of it is anywhere or not. */
export async function latestDigest(executor: Executor, templateId: number): Promise<string | undefined> {
  const row = await executor
    .selectFrom('template_content')
    .where('template_id', '=', templateId)
    .select('digest')
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.digest;
}

/**
 * Another template's copy on the pool with the very bytes that this template declares: the checksum is of an algorithm
 * for which nobody can make two files that share a digest, and the copy's was computed, not believed.
 *
 * To know a checksum is not to have the image: of somebody else's templates only public ones are looked at.
 */
export async function sameImageOnPool(
  executor: Executor,
  key: SpoolKey,
  template: { readonly account_id: number; readonly format: string; readonly checksum: string },
): Promise<string | undefined> {
  const digest = parseChecksum(template.checksum);
  if (digest.algorithm === 'MD5' || digest.algorithm === 'SHA-1') return undefined;
  const row = await executor
    .selectFrom('template_spool_ref')
    .innerJoin('vm_template', 'vm_template.id', 'template_spool_ref.template_id')
    .where('template_spool_ref.pool_id', '=', key.poolId)
    .where('template_spool_ref.template_id', '!=', key.templateId)
    .where('template_spool_ref.state', '=', 'Ready')
    .where('template_spool_ref.marked_for_gc', '=', false)
    .where('template_spool_ref.digest_computed', '=', true)
    .where('template_spool_ref.checksum', '=', `{${digest.algorithm}}${digest.hex}`)
    .where('vm_template.format', '=', template.format)
    .where((eb) =>
      eb.or([
        eb('vm_template.account_id', '=', template.account_id),
        eb.and([eb('vm_template.public', '=', true), eb('vm_template.removed', 'is', null)]),
      ]),
    )
    .select('template_spool_ref.install_path')
    .orderBy('template_spool_ref.id')
    .limit(1)
    .executeTakeFirst();
  return row?.install_path ?? undefined;
}
