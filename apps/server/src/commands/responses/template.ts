import { type EntityOf, formatDate, type templateFields } from '@millrace/api';
import { redactUrl } from '@millrace/core';
import type { Failure } from '../../domain/failure-policy.ts';
import { messageForUsers } from '../../domain/host-failures.ts';
import { shownSecret } from '../../domain/template-change.ts';
import { isSecretDetail } from '../../domain/template-registration.ts';
import type { Executor } from '../../store/database.ts';
import { everything } from '../../store/paging.ts';
import {
  listTemplateRows,
  type SpoolRefRow,
  spoolRefsOf,
  type TemplateRow,
  templateDetailsOf,
} from '../../store/templates.ts';
import { latestJobsOf } from '../../store/virtual-machines.ts';
import { displayedDomainPath } from './domain-path.ts';
import { tagTeller } from './tag.ts';

export type TemplateEntity = EntityOf<typeof templateFields>;

/** Who looks: root admins see everything, owners their URL and details. */
export interface TemplateViewer {
  readonly isAdmin: boolean;
  readonly accountId: number | undefined;
}

/** What CloudStack says of a template that never was on secondary storage. */
export const bypassedStatus = 'Bypassed Secondary Storage';

/** One template or ISO as the API shows it to a caller. @throws Error when there is no such row */
export async function shownTemplate(
  executor: Executor,
  templateId: number,
  caller: { readonly role: string; readonly accountId: number },
): Promise<TemplateEntity> {
  const filter = { selection: { kind: 'everything' }, templateIds: [templateId], unique: true } as const;
  const { rows } = await listTemplateRows(executor, filter, everything);
  const viewer = { isAdmin: caller.role === 'admin', accountId: caller.accountId };
  const [entity] = await templateEntities(executor, rows, viewer);
  if (!entity) throw new Error(`there is no template ${templateId}`);
  return entity;
}

/**
 * A template as the API shows it to a root admin.
 * @throws Error when there is no such row
 */
export async function loadTemplate(executor: Executor, templateId: number): Promise<TemplateEntity> {
  const filter = { selection: { kind: 'everything' }, templateIds: [templateId], unique: true } as const;
  const { rows } = await listTemplateRows(executor, { ...filter, removed: true }, everything);
  const [entity] = await templateEntities(executor, rows, { isAdmin: true, accountId: undefined });
  if (!entity) throw new Error(`there is no template ${templateId}`);
  return entity;
}

export async function templateEntities(
  executor: Executor,
  rows: readonly TemplateRow[],
  viewer: TemplateViewer,
): Promise<TemplateEntity[]> {
  if (rows.length === 0) return [];
  const ids = [...new Set(rows.map((row) => row.id))];
  const copies = Map.groupBy(await spoolRefsOf(executor, ids), (copy) => copy.template_id);
  const details = Map.groupBy(await templateDetailsOf(executor, ids), (detail) => detail.template_id);
  const tags = await tagTeller(
    executor,
    rows.map((row) => row.uuid),
  );
  const jobs = await latestJobsOf(
    executor,
    rows.map((row) => row.uuid),
  );
  return rows.map((row) => {
    const knowsSecrets = viewer.isAdmin || row.account_id === viewer.accountId;
    return {
      ...publicPart(row),
      ...readiness(row, copies.get(row.id) ?? [], viewer.isAdmin),
      ...(knowsSecrets ? { url: redactUrl(row.url) } : {}),
      tags: tags(row.uuid),
      details: shownDetails(details.get(row.id) ?? [], knowsSecrets),
      downloaddetails: (copies.get(row.id) ?? []).map((copy) => copyEntity(copy, viewer.isAdmin)),
      ...jobs.get(row.uuid),
    };
  });
}

function publicPart(row: TemplateRow): TemplateEntity {
  return {
    id: row.uuid,
    name: row.name,
    displaytext: row.display_text,
    ispublic: row.public,
    isfeatured: row.featured,
    isextractable: row.extractable,
    isdynamicallyscalable: row.dynamically_scalable,
    passwordenabled: row.enable_password,
    sshkeyenabled: row.enable_sshkey,
    bootable: row.bootable,
    crossZones: row.cross_zones,
    directdownload: row.direct_download,
    deployasis: false,
    requireshvm: row.hvm,
    format: row.format,
    bits: row.bits,
    arch: row.arch,
    hypervisor: row.hypervisor_type,
    templatetype: row.type,
    templatetag: row.template_tag ?? undefined,
    // shown without its algorithm, as CloudStack does
    checksum: row.checksum?.replace(/^\{[^}]*\}/, ''),
    size: row.size ?? undefined,
    physicalsize: row.physical_size ?? undefined,
    created: formatDate(row.created),
    removed: row.removed ? formatDate(row.removed) : undefined,
    accountid: row.account_uuid,
    account: row.account_name,
    domainid: row.domain_uuid,
    domain: row.domain_name,
    domainpath: displayedDomainPath(row.domain_path),
    ostypeid: row.os_uuid,
    ostypename: row.os_name,
    zoneid: row.zone_uuid,
    zonename: row.zone_name,
    userdataid: row.user_data_uuid ?? undefined,
    userdataname: row.user_data_name ?? undefined,
    userdataparams: row.user_data_params ?? undefined,
    userdatapolicy: row.user_data_link_policy ?? undefined,
    childtemplates: [],
    hasannotations: false,
  };
}

/** Whether it can be used in the zone of the row, and how far it is, in CloudStack's words. */
function readiness(
  row: TemplateRow,
  copies: readonly SpoolRefRow[],
  forAdmin: boolean,
): Pick<TemplateEntity, 'isready' | 'status'> {
  if (row.direct_download) return { isready: row.state === 'Active', status: bypassedStatus };
  const stored = copies.filter(({ role, zone_id }) => role === 'Image' && zone_id === row.zone_id);
  const status = storedStatus(stored, row.format, forAdmin);
  return { isready: row.state === 'Active' && stored.some(isWhole), status };
}

function isWhole({ state }: Pick<SpoolRefRow, 'state'>): boolean {
  return state === 'Ready';
}

/** The best that is to be said of an image on the image stores of a zone. */
export function storedStatus(stored: readonly SpoolRefRow[], format: string, forAdmin = false): string {
  const isIso = format.toUpperCase() === 'ISO';
  if (stored.some(isWhole)) return isIso ? 'Successfully Installed' : 'Download Complete';
  const underWay = stored.find(({ download_state }) => download_state === 'DOWNLOAD_IN_PROGRESS');
  if (underWay) {
    const { phase } = (underWay.transfer_progress ?? {}) as { readonly phase?: string };
    const installing = phase !== undefined && !['planning', 'transferring'].includes(phase);
    if (installing) return isIso ? 'Installing ISO' : 'Installing Template';
    return `${underWay.download_pct}% Downloaded`;
  }
  const failed = stored.find(({ error_str }) => error_str !== null);
  return (failed && failureOfCopy(failed, forAdmin)['error']) ?? 'Processing';
}

function shownDetails(
  details: readonly { readonly name: string; readonly value: string }[],
  knowsSecrets: boolean,
): Record<string, string> {
  // even the owner is shown only that a header is there: whoever looks over a shoulder or at a log learns nothing
  return Object.fromEntries(
    details
      .filter((detail) => knowsSecrets || !isSecretDetail(detail.name))
      .map((detail) => [detail.name, isSecretDetail(detail.name) ? shownSecret : detail.value]),
  );
}

function copyEntity(copy: SpoolRefRow, forAdmin: boolean): Record<string, string> {
  return {
    datastore: copy.pool_name,
    downloadPercent: String(copy.download_pct),
    downloadState: copy.download_state,
    ...(forAdmin
      ? { datastoreId: copy.pool_uuid, datastoreRole: copy.role, lastUsed: formatDate(copy.last_used) }
      : {}),
    // of the bytes that were transferred: own extension, for whoever has to decide when a source changed
    ...(forAdmin && copy.checksum !== null ? { checksum: copy.checksum } : {}),
    ...(copy.download_state === 'DOWNLOAD_IN_PROGRESS' ? movementOf(copy) : {}),
    ...(copy.download_state === 'DOWNLOAD_ERROR' ? failureOfCopy(copy, forAdmin) : {}),
  };
}

/** Own extension: how fast a copy arrives. The progress is the host's own message, written by the job that owns the copy. */
function movementOf({ transfer_progress }: SpoolRefRow): Record<string, string> {
  const progress = (transfer_progress ?? {}) as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    (['phase', 'bytes', 'totalBytes', 'bytesPerSecond', 'etaSeconds'] as const).flatMap((name) =>
      progress[name] === undefined ? [] : [[name, String(progress[name])]],
    ),
  );
}

/** Own extension: why there is no copy. What a host says of itself is for root admins. */
function failureOfCopy({ failure, error_str }: SpoolRefRow, forAdmin: boolean): Record<string, string> {
  const { failure: kept } = (failure ?? {}) as { readonly failure?: Partial<Failure> };
  const { code = '', message = error_str ?? '' } = kept ?? {};
  return {
    error: forAdmin ? message : messageForUsers(code, message),
    ...(code === '' ? {} : { reason: code }),
    // no other host and no other try would do better
    ...(kept?.failureClass === 'stop' ? { refused: 'true' } : {}),
  };
}
