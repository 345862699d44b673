import { sql } from 'kysely';
import type { Executor } from './database.ts';
import { sharedWith, usableBy } from './launch-permissions.ts';
import { containing, type OwnerScope, ownedBy } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';
import { taggedWith } from './resource-tags.ts';
import type { NewRow, Row } from './schema.ts';

/** Which templates a filter word means, for a caller. */
export type TemplateSelection =
  | { readonly kind: 'everything' }
  | { readonly kind: 'featured' }
  | { readonly kind: 'community' }
  | { readonly kind: 'owned'; readonly scope: OwnerScope }
  /** With accounts of the scope, by others. */
  | { readonly kind: 'shared'; readonly scope: OwnerScope }
  | { readonly kind: 'usable'; readonly scope: OwnerScope };

/** Templates and ISOs are rows of one table, told apart by their format. */
export type ImageKind = 'template' | 'iso';

export interface TemplateFilter {
  /** Default: both. */
  readonly kind?: ImageKind | undefined;
  readonly selection: TemplateSelection;
  readonly templateIds?: readonly number[] | undefined;
  readonly uuids?: readonly string[] | undefined;
  readonly name?: string | undefined;
  readonly keyword?: string | undefined;
  readonly zoneUuid?: string | undefined;
  readonly hypervisor?: string | undefined;
  readonly poolUuid?: string | undefined;
  readonly bootable?: boolean | undefined;
  readonly isPublic?: boolean | undefined;
  readonly removed?: boolean | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** One row per template instead of one per template and zone. */
  readonly unique?: boolean | undefined;
}

export async function listTemplateRows(executor: Executor, filter: TemplateFilter, page: Page) {
  const query = filtered(executor, filter)
    .select(columns)
    .orderBy('vm_template.sort_key')
    .orderBy('vm_template.name')
    .orderBy('vm_template.id')
    .orderBy('data_center.id');
  return pageOf(query, page);
}

export type TemplateRow = Awaited<ReturnType<typeof listTemplateRows>>['rows'][number];

const columns = [
  'vm_template.id',
  'vm_template.uuid',
  'vm_template.name',
  'vm_template.display_text',
  'vm_template.public',
  'vm_template.featured',
  'vm_template.type',
  'vm_template.bits',
  'vm_template.url',
  'vm_template.format',
  'vm_template.account_id',
  'vm_template.checksum',
  'vm_template.enable_password',
  'vm_template.enable_sshkey',
  'vm_template.bootable',
  'vm_template.extractable',
  'vm_template.cross_zones',
  'vm_template.dynamically_scalable',
  'vm_template.hvm',
  'vm_template.hypervisor_type',
  'vm_template.template_tag',
  'vm_template.arch',
  'vm_template.direct_download',
  'vm_template.size',
  'vm_template.physical_size',
  'vm_template.state',
  'vm_template.created',
  'vm_template.removed',
  'account.uuid as account_uuid',
  'account.account_name',
  'domain.uuid as domain_uuid',
  'domain.name as domain_name',
  'domain.path as domain_path',
  'guest_os.uuid as os_uuid',
  'guest_os.display_name as os_name',
  'data_center.id as zone_id',
  'data_center.uuid as zone_uuid',
  'data_center.name as zone_name',
  'vm_template.user_data_link_policy',
  'user_data.uuid as user_data_uuid',
  'user_data.name as user_data_name',
  'user_data.params as user_data_params',
] as const;

function filtered(executor: Executor, filter: TemplateFilter) {
  let query = executor
    .selectFrom('vm_template')
    .innerJoin('account', 'account.id', 'vm_template.account_id')
    .innerJoin('domain', 'domain.id', 'account.domain_id')
    .innerJoin('guest_os', 'guest_os.id', 'vm_template.guest_os_id')
    .leftJoin('user_data', 'user_data.id', 'vm_template.user_data_id')
    .innerJoin('template_zone_ref', 'template_zone_ref.template_id', 'vm_template.id')
    .innerJoin('data_center', 'data_center.id', 'template_zone_ref.zone_id')
    .where(selected(filter.selection));
  if (!filter.removed) {
    query = query.where('vm_template.removed', 'is', null).where('template_zone_ref.removed', 'is', null);
  }
  if (filter.kind) query = query.where(ofKind(filter.kind));
  if (filter.bootable !== undefined) query = query.where('vm_template.bootable', '=', filter.bootable);
  if (filter.isPublic !== undefined) query = query.where('vm_template.public', '=', filter.isPublic);
  if (filter.templateIds) query = query.where('vm_template.id', '=', sql<number>`any(${filter.templateIds})`);
  if (filter.uuids) query = query.where('vm_template.uuid', '=', sql<string>`any(${filter.uuids}::uuid[])`);
  if (filter.name !== undefined) query = query.where('vm_template.name', '=', filter.name);
  if (filter.keyword !== undefined) {
    query = query.where('vm_template.name', 'ilike', containing(filter.keyword));
  }
  if (filter.tags) query = query.where(taggedWith('vm_template.uuid', filter.tags));
  if (filter.zoneUuid !== undefined) query = query.where('data_center.uuid', '=', filter.zoneUuid);
  if (filter.hypervisor !== undefined) {
    query = query.where(
      'vm_template.hypervisor_type',
      'ilike',
      filter.hypervisor.replaceAll(/[\\%_]/g, '\\$&'),
    );
  }
  const { poolUuid } = filter;
  if (poolUuid !== undefined) {
    query = query.where(
      sql<boolean>`exists (select from template_spool_ref join data_store on data_store.id = pool_id
        where template_spool_ref.template_id = vm_template.id and data_store.uuid::text = ${poolUuid}
          and template_spool_ref.state = 'Ready')`,
    );
  }
  if (filter.unique) {
    query = query.where(
      sql<boolean>`template_zone_ref.zone_id = (select min(z.zone_id) from template_zone_ref z
        where z.template_id = vm_template.id and (z.removed is null or template_zone_ref.removed is not null))`,
    );
  }
  return query;
}

function ofKind(kind: ImageKind | undefined) {
  if (kind === undefined) return sql<boolean>`true`;
  return kind === 'iso'
    ? sql<boolean>`vm_template.format = 'ISO'`
    : sql<boolean>`vm_template.format <> 'ISO'`;
}

function selected(selection: TemplateSelection) {
  switch (selection.kind) {
    case 'everything':
      return sql<boolean>`true`;
    case 'featured':
      return sql<boolean>`vm_template.public and vm_template.featured`;
    case 'community':
      return sql<boolean>`vm_template.public and not vm_template.featured`;
    case 'owned':
      return ownedBy(selection.scope);
    case 'shared':
      return sql<boolean>`(${sharedWith(selection.scope)} and not ${ownedBy(selection.scope)})`;
    case 'usable':
      return usableBy(selection.scope);
  }
}

/** The copies of templates on storage pools and image stores. */
export async function spoolRefsOf(executor: Executor, templateIds: readonly number[]) {
  return executor
    .selectFrom('template_spool_ref')
    .innerJoin('data_store', 'data_store.id', 'template_spool_ref.pool_id')
    .where('template_spool_ref.template_id', '=', sql<number>`any(${templateIds})`)
    .where('data_store.removed', 'is', null)
    .select([
      'template_spool_ref.template_id',
      'template_spool_ref.download_pct',
      'template_spool_ref.download_state',
      'template_spool_ref.checksum',
      'template_spool_ref.last_used',
      'template_spool_ref.state',
      'template_spool_ref.transfer_progress',
      'template_spool_ref.error_str',
      'template_spool_ref.failure',
      'data_store.role',
      'data_store.data_center_id as zone_id',
      'data_store.uuid as pool_uuid',
      'data_store.name as pool_name',
    ])
    .orderBy('template_spool_ref.id')
    .execute();
}

export type SpoolRefRow = Awaited<ReturnType<typeof spoolRefsOf>>[number];

export async function templateDetailsOf(executor: Executor, templateIds: readonly number[]) {
  return executor
    .selectFrom('vm_template_details')
    .where('template_id', '=', sql<number>`any(${templateIds})`)
    .selectAll()
    .orderBy('id')
    .execute();
}

export interface NewTemplate {
  readonly row: NewRow<'vm_template'>;
  readonly zoneIds: readonly number[];
  readonly details: Readonly<Record<string, string>>;
}

/** @returns the template's id */
export async function insertTemplate(executor: Executor, template: NewTemplate): Promise<number> {
  const { id } = await executor
    .insertInto('vm_template')
    .values(template.row)
    .returning('id')
    .executeTakeFirstOrThrow();
  await executor
    .insertInto('template_zone_ref')
    .values(template.zoneIds.map((zone_id) => ({ zone_id, template_id: id })))
    .execute();
  const details = Object.entries(template.details);
  if (details.length > 0) {
    await executor
      .insertInto('vm_template_details')
      .values(details.map(([name, value]) => ({ template_id: id, name, value })))
      .execute();
  }
  return id;
}

function oneImage(executor: Executor, uuid: string, kind: ImageKind | undefined) {
  return executor
    .selectFrom('vm_template')
    .innerJoin('account', 'account.id', 'vm_template.account_id')
    .innerJoin('domain', 'domain.id', 'account.domain_id')
    .where('vm_template.uuid', '=', uuid)
    .where('vm_template.removed', 'is', null)
    .where(ofKind(kind))
    .selectAll('vm_template');
}

/** Locks a template the caller may change until the transaction ends. */
export async function lockTemplate(executor: Executor, uuid: string, scope: OwnerScope, kind?: ImageKind) {
  return oneImage(executor, uuid, kind).where(ownedBy(scope)).forUpdate('vm_template').executeTakeFirst();
}

/**
 * A template or ISO the caller may use in a zone, locked so that it cannot be deleted before the instance that uses it is
 * written.
 */
export async function usableTemplate(
  executor: Executor,
  options: {
    readonly uuid: string;
    readonly zoneId: number;
    readonly scope: OwnerScope;
    readonly kind?: ImageKind;
  },
) {
  return oneImage(executor, options.uuid, options.kind)
    .leftJoin('template_zone_ref', (join) =>
      join
        .onRef('template_zone_ref.template_id', '=', 'vm_template.id')
        .on('template_zone_ref.zone_id', '=', options.zoneId)
        .on('template_zone_ref.removed', 'is', null),
    )
    .where(usableBy(options.scope))
    .select('template_zone_ref.zone_id')
    .forShare('vm_template')
    .executeTakeFirst();
}

/** A template or ISO that the caller may use, in whatever zone. */
export async function usableAnywhere(
  executor: Executor,
  uuid: string,
  scope: OwnerScope,
  kind: ImageKind,
): Promise<Row<'vm_template'> | undefined> {
  return oneImage(executor, uuid, kind).where(usableBy(scope)).executeTakeFirst();
}

/** How many instances that are not expunged use a template, or have an ISO in their drive: anywhere, or in a zone. */
export async function countUsersOfTemplate(
  executor: Executor,
  templateId: number,
  kind: ImageKind,
  zoneId?: number,
): Promise<number> {
  const row = await executor
    .selectFrom('vm_instance')
    .select(sql<number>`count(*)`.as('count'))
    .where(kind === 'iso' ? 'iso_id' : 'vm_template_id', '=', templateId)
    .where('removed', 'is', null)
    .$if(zoneId !== undefined, (query) => query.where('data_center_id', '=', zoneId!))
    .executeTakeFirstOrThrow();
  return row.count;
}

/** The zones that a template is in. */
export async function zoneIdsOf(executor: Executor, templateId: number): Promise<number[]> {
  const rows = await executor
    .selectFrom('template_zone_ref')
    .select('zone_id')
    .where('template_id', '=', templateId)
    .where('removed', 'is', null)
    .orderBy('zone_id')
    .execute();
  return rows.map((row) => row.zone_id);
}

/**
 * Takes a template out of one of its zones; it is no longer one of every zone then.
 * @returns false when it was not there
 */
export async function removeTemplateFromZone(
  executor: Executor,
  templateId: number,
  zoneId: number,
): Promise<boolean> {
  const { numUpdatedRows } = await executor
    .updateTable('template_zone_ref')
    .set({ removed: new Date() })
    .where('template_id', '=', templateId)
    .where('zone_id', '=', zoneId)
    .where('removed', 'is', null)
    .executeTakeFirst();
  await executor
    .updateTable('vm_template')
    .set({ cross_zones: false })
    .where('id', '=', templateId)
    .execute();
  return numUpdatedRows > 0n;
}

/** Those that it is in already stay as they are. */
export async function addZonesToTemplate(
  executor: Executor,
  templateId: number,
  zoneIds: readonly number[],
): Promise<void> {
  await executor
    .insertInto('template_zone_ref')
    .values([...new Set(zoneIds)].map((zone_id) => ({ zone_id, template_id: templateId })))
    .onConflict((conflict) => conflict.columns(['template_id', 'zone_id']).doUpdateSet({ removed: null }))
    .execute();
}
