import { ApiError, entityNotFound, invalidParameter } from '@millrace/api';
import { redactUrl } from '@millrace/core';
import { changedDetails, isOtherImage } from '../domain/template-change.ts';
import {
  checksumOrList,
  checksumTrustDetail,
  checksumUrlDetail,
  cpuArchitecture,
  displayableName,
  imageSourceOf,
  type TemplateFormat,
  templateUrl,
} from '../domain/template-registration.ts';
import { beginStoreDownload } from '../jobs/store-downloads.ts';
import type { Database, Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { findOsType } from '../store/guest-os.ts';
import type { Row } from '../store/schema.ts';
import { readSettings } from '../store/settings.ts';
import { contentDigestsOf, pendingUseOfImage, setImageAside } from '../store/template-images.ts';
import { type ImageKind, lockTemplate, templateDetailsOf, zoneIdsOf } from '../store/templates.ts';
import { pendingJobOf } from '../store/virtual-machines.ts';
import type { Caller, CommandDependencies } from './command.ts';
import { type LookedAtSource, lookAtSource } from './look-at-source.ts';
import { onlyOne } from './probe-source.ts';
import { kindOf } from './register-image.ts';
import { shownTemplate, type TemplateEntity } from './responses/template.ts';
import { reachOf } from './scope.ts';

export interface ImageChange {
  readonly id: string;
  readonly name?: string | undefined;
  readonly displaytext?: string | undefined;
  readonly ostypeid?: string | undefined;
  readonly bootable?: boolean | undefined;
  readonly passwordenabled?: boolean | undefined;
  readonly sshkeyenabled?: boolean | undefined;
  readonly isdynamicallyscalable?: boolean | undefined;
  readonly sortkey?: number | undefined;
  readonly templatetag?: string | undefined;
  readonly details?: Readonly<Record<string, string>> | undefined;
  readonly cleanupdetails?: boolean | undefined;
  readonly format?: TemplateFormat | 'ISO' | undefined;
  readonly arch?: string | undefined;
  readonly url?: string | undefined;
  readonly checksum?: string | undefined;
  readonly directdownload?: boolean | undefined;
}

type Context = CommandDependencies & { readonly caller: Caller; readonly signal: AbortSignal };

/** The word that takes a checksum away: an empty value on the wire counts as absent. */
const noChecksum = 'none';

/**
 * Changes a template or an ISO. What hosts fetch is looked at by one of them before anything is changed; when it is
 * another image, the one before is put aside with its copies, below the disks that stand on it.
 * @throws ApiError 431 naming the parameter, 536 while a job works with the image
 */
export async function updateImage(
  context: Context,
  kind: ImageKind,
  change: ImageChange,
): Promise<TemplateEntity> {
  const { database, caller } = context;
  const before = await snapshot(database, kind, change.id, caller);
  const columns = await columnsOf(database, change);
  const source = sourceAfter(before, change);
  const looked = source && (await look(context, before, source));
  const templateId = await database.transaction().execute(async (trx) => {
    const row = await lockTemplate(trx, change.id, reachOf(caller), kind);
    if (!row) throw entityNotFound('id', change.id);
    if (source && looked) await changeSource(trx, { row, before, source, looked });
    const changes = { ...columns, ...(looked ? sourceColumns(looked, source) : {}) };
    if (Object.keys(changes).length > 0)
      await trx.updateTable('vm_template').set(changes).where('id', '=', row.id).execute();
    await bringToStores(trx, context, {
      row,
      change,
      zoneIds: before.zoneIds,
      sourceChanged: looked !== undefined,
    });
    await note(trx, { row, caller, change, warnings: looked?.warnings ?? [] });
    return row.id;
  });
  return shownTemplate(database, templateId, caller);
}

/**
 * What hosts do not download themselves any more, or what is another image now, has to come to image stores. What they do
 * download from now on leaves the stores; copies on pools, and the disks on them, stay as they are.
 */
async function bringToStores(
  trx: Executor,
  { jobs, caller }: Context,
  changed: {
    readonly row: Row<'vm_template'>;
    readonly change: ImageChange;
    readonly zoneIds: readonly number[];
    readonly sourceChanged: boolean;
  },
): Promise<void> {
  const { row, change, zoneIds, sourceChanged } = changed;
  const direct = change.directdownload ?? row.direct_download;
  if (direct || (row.direct_download === direct && !sourceChanged)) return;
  const job = await pendingJobOf(trx, row.uuid);
  if (job)
    throw new ApiError(
      'RESOURCE_IN_USE_ERROR',
      `${row.name} is busy: ${job.job_cmd} is running as job ${job.uuid}; wait for it to end`,
    );
  await beginStoreDownload(trx, jobs, {
    templateId: row.id,
    uuid: row.uuid,
    format: row.format,
    zoneIds,
    userId: caller.userId,
    accountId: row.account_id,
  });
}

interface Snapshot {
  readonly row: Row<'vm_template'>;
  readonly details: Readonly<Record<string, string>>;
  readonly zoneIds: readonly number[];
}

/** The template as it is before anybody is asked, which takes too long to hold its lock. */
async function snapshot(
  database: Database,
  kind: ImageKind,
  uuid: string,
  caller: Caller,
): Promise<Snapshot> {
  return database.transaction().execute(async (trx) => {
    const row = await lockTemplate(trx, uuid, reachOf(caller), kind);
    if (!row) throw entityNotFound('id', uuid);
    const details = await templateDetailsOf(trx, [row.id]);
    return {
      row,
      details: Object.fromEntries(details.map(({ name, value }) => [name, value])),
      zoneIds: await zoneIdsOf(trx, row.id),
    };
  });
}

/** What is changed without asking anybody. @throws ApiError 431 */
async function columnsOf(executor: Executor, change: ImageChange) {
  cpuArchitecture(change.arch);
  const osType = change.ostypeid === undefined ? undefined : await findOsType(executor, change.ostypeid);
  if (change.ostypeid !== undefined && !osType) throw entityNotFound('ostypeid', change.ostypeid);
  const columns = {
    name: change.name && displayableName('name', change.name),
    display_text: change.displaytext && displayableName('displaytext', change.displaytext),
    guest_os_id: osType?.id,
    bootable: change.bootable,
    enable_password: change.passwordenabled,
    enable_sshkey: change.sshkeyenabled,
    dynamically_scalable: change.isdynamicallyscalable,
    sort_key: change.sortkey,
    template_tag: change.templatetag,
    direct_download: change.directdownload,
  };
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined));
}

interface ChangedSource {
  readonly url: string;
  readonly format: TemplateFormat | 'ISO';
  readonly checksum: string | undefined;
  readonly listUrl: string | undefined;
  readonly details: Readonly<Record<string, string>>;
}

/** The source after the change; `undefined`: it is the same. @throws ApiError 431 */
function sourceAfter({ row, details }: Snapshot, change: ImageChange): ChangedSource | undefined {
  const { url, checksum, cleanupdetails = false, format } = change;
  const present = row.format as TemplateFormat | 'ISO';
  if (format !== undefined && format !== present && url === undefined)
    throw invalidParameter('format', `is ${present} as long as the url is the same`);
  if (url === undefined && checksum === undefined && change.details === undefined && !cleanupdetails)
    return undefined;
  const after = changedDetails(details, { details: change.details, cleanUp: cleanupdetails });
  const given = givenChecksum(change, row.checksum ?? undefined);
  // how the checksum before was found says nothing of this one
  if (given.changed) for (const name of [checksumUrlDetail, checksumTrustDetail]) delete after[name];
  const source = {
    url: url === undefined ? row.url : templateUrl(url),
    format: format ?? present,
    checksum: given.checksum,
    listUrl: given.listUrl,
    details: after,
  };
  imageSourceOf(source, after);
  return source;
}

function givenChecksum({ checksum, details }: ImageChange, present: string | undefined) {
  if (checksum?.trim().toLowerCase() === noChecksum)
    return { checksum: undefined, listUrl: undefined, changed: true };
  const list = details?.[checksumUrlDetail];
  if (checksum === undefined && (list === undefined || list === ''))
    return { checksum: present, listUrl: undefined, changed: false };
  const given = checksumOrList(checksum, list === undefined ? {} : { [checksumUrlDetail]: list });
  return { ...given, changed: true };
}

async function look(context: Context, { zoneIds }: Snapshot, source: ChangedSource): Promise<LookedAtSource> {
  const settings = await readSettings(context.database, { zoneId: onlyOne(zoneIds) });
  return lookAtSource(context, { ...source, zoneIds, settings });
}

function sourceColumns({ report, checksum }: LookedAtSource, source: ChangedSource | undefined) {
  if (!source) return {};
  return {
    url: source.url,
    format: source.format,
    checksum: checksum ?? null,
    size: report.virtualSizeBytes ?? null,
    physical_size: report.transferBytes ?? null,
    source_count: report.sources.length,
  };
}

async function changeSource(
  trx: Executor,
  changing: {
    readonly row: Row<'vm_template'>;
    readonly before: Snapshot;
    readonly source: ChangedSource;
    readonly looked: LookedAtSource;
  },
): Promise<void> {
  const { row, before, source, looked } = changing;
  const { url, checksum, format } = row;
  if (url !== before.row.url || checksum !== before.row.checksum || format !== before.row.format)
    throw new ApiError(
      'RESOURCE_IN_USE_ERROR',
      `${row.name} was changed by somebody else meanwhile: try again`,
    );
  const present = { url, format, checksum: checksum ?? undefined };
  const after = { url: source.url, format: source.format, checksum: looked.checksum };
  if (isOtherImage(present, after, await contentDigestsOf(trx, row.id))) {
    const job = await pendingUseOfImage(trx, row);
    if (job)
      throw new ApiError(
        'RESOURCE_IN_USE_ERROR',
        `the image of ${row.name} is in use: ${job.job_cmd} is running as job ${job.uuid}; wait for it to end`,
      );
    await setImageAside(trx, row);
  }
  await trx.deleteFrom('vm_template_details').where('template_id', '=', row.id).execute();
  const details = Object.entries(looked.details);
  if (details.length > 0)
    await trx
      .insertInto('vm_template_details')
      .values(details.map(([name, value]) => ({ template_id: row.id, name, value })))
      .execute();
}

async function note(
  trx: Executor,
  changed: {
    readonly row: Row<'vm_template'>;
    readonly caller: Caller;
    readonly change: ImageChange;
    readonly warnings: readonly string[];
  },
): Promise<void> {
  const { row, caller, change, warnings } = changed;
  const { id: _id, url, ...others } = change;
  const names = Object.entries(others).flatMap(([name, value]) => (value === undefined ? [] : name));
  const said = [...(url === undefined ? [] : [`url to ${redactUrl(url)}`]), ...names].join(', ');
  const kind = kindOf({ format: row.format === 'ISO' ? 'ISO' : 'QCOW2' });
  await recordEvent(trx, {
    type: `${kind.event}.UPDATE`,
    level: warnings.length > 0 ? 'WARN' : 'INFO',
    description: `changed ${said || 'nothing'} of ${kind.word} ${row.name}${warnings.length > 0 ? `; warnings: ${warnings.join('; ')}` : ''}`,
    userId: caller.userId,
    accountId: row.account_id,
    resourceType: kind.resource,
    resourceUuid: row.uuid,
  });
}
