import { randomUUID } from 'node:crypto';
import { entityNotFound, invalidParameter, isUuid, missingParameter } from '@millrace/api';
import { redactUrl } from '@millrace/core';
import {
  checksumOrList,
  cpuArchitecture,
  displayableName,
  imageSourceOf,
  type TemplateFormat,
  templateUrl,
  wordSize,
} from '../domain/template-registration.ts';
import { beginStoreDownload, demandStores, haveStores } from '../jobs/store-downloads.ts';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { defaultOsType, findOsType } from '../store/guest-os.ts';
import { everything } from '../store/paging.ts';
import { readSettings } from '../store/settings.ts';
import { insertTemplate } from '../store/templates.ts';
import { listZoneRows } from '../store/zone-list.ts';
import type { Caller, CommandDependencies } from './command.ts';
import { demandResources } from './demand-resources.ts';
import { lookAtSource } from './look-at-source.ts';
import { onlyOne } from './probe-source.ts';
import { shownTemplate, type TemplateEntity } from './responses/template.ts';
import { ownerOf } from './scope.ts';

/** A template or an ISO as it is to be registered, in the words of both commands. */
export interface ImageRegistration {
  readonly command: 'registerTemplate' | 'registerIso';
  readonly format: TemplateFormat | 'ISO';
  readonly name: string;
  readonly displaytext: string;
  readonly url: string;
  readonly checksum?: string | undefined;
  readonly details?: Readonly<Record<string, string>> | undefined;
  readonly directdownload?: boolean | undefined;
  readonly zoneid?: string | undefined;
  readonly zoneids?: readonly string[] | undefined;
  readonly ostypeid?: string | undefined;
  readonly bits?: number | undefined;
  readonly arch?: string | undefined;
  readonly bootable: boolean;
  readonly templatetag?: string | undefined;
  readonly sshkeyenabled?: boolean | undefined;
  readonly passwordenabled?: boolean | undefined;
  readonly isdynamicallyscalable?: boolean | undefined;
  readonly isextractable?: boolean | undefined;
  readonly isfeatured?: boolean | undefined;
  readonly ispublic?: boolean | undefined;
  readonly account?: string | undefined;
  readonly domainid?: string | undefined;
}

type Context = CommandDependencies & { readonly caller: Caller; readonly signal: AbortSignal };

/**
 * Registers an image: everything is judged, a host of the zone looks at the source, and only then the rows are written.
 * @throws ApiError 431 naming the parameter, or with the reason per source when none is usable
 */
export async function registerImage(
  context: Context,
  wanted: ImageRegistration,
): Promise<{ list: TemplateEntity[]; count: number }> {
  const { database, caller } = context;
  const image = imageOf(wanted);
  const zones = await zonesOf(database, wanted);
  const owner = await ownerOf(database, caller, wanted);
  const zoneIds = zones.map((zone) => zone.id);
  const settings = await readSettings(database, { zoneId: onlyOne(zoneIds), accountId: owner.accountId });
  demandVisibility(wanted, caller, settings['allow.public.user.templates']);
  const osType = await findOsType(database, wanted.ostypeid);
  if (!osType) throw entityNotFound('ostypeid', wanted.ostypeid ?? defaultOsType);
  const direct = await isDirect(database, wanted, {
    zoneIds,
    setting: settings['template.direct.download.default'],
  });
  if (!direct) await demandStores(database, zoneIds);
  const { checksum, details, report, warnings } = await lookAtSource(context, {
    ...image,
    zoneIds,
    settings,
  });
  const templateId = await store(context, wanted, {
    ...image,
    checksum,
    details,
    zoneIds,
    accountId: owner.accountId,
    osTypeId: osType.id,
    sizeBytes: report.virtualSizeBytes,
    transferBytes: report.transferBytes,
    sourceCount: report.sources.length,
    warnings,
    direct,
  });
  return { list: [await shownTemplate(database, templateId, caller)], count: 1 };
}

/** Everything that can be judged without asking anybody. */
function imageOf(wanted: ImageRegistration) {
  const details = wanted.details ?? {};
  const { checksum, listUrl } = checksumOrList(wanted.checksum, details);
  const image = {
    name: displayableName('name', wanted.name),
    displayText: displayableName('displaytext', wanted.displaytext),
    format: wanted.format,
    url: templateUrl(wanted.url),
    checksum,
    listUrl,
    details,
    bits: wordSize(wanted.bits),
    arch: cpuArchitecture(wanted.arch),
  };
  imageSourceOf(image, details);
  return image;
}

/** Whether hosts download it themselves: as the caller says, else as the setting; `auto`: unless every zone has an image store. */
async function isDirect(
  executor: Executor,
  { directdownload }: ImageRegistration,
  { zoneIds, setting }: { readonly zoneIds: readonly number[]; readonly setting: string },
): Promise<boolean> {
  if (directdownload !== undefined) return directdownload;
  return setting === 'auto' ? !(await haveStores(executor, zoneIds)) : setting === 'true';
}

/** @throws ApiError 431 */
export function demandVisibility(
  wanted: Pick<ImageRegistration, 'format' | 'isfeatured' | 'ispublic'>,
  caller: Caller,
  publicAllowed: boolean,
): void {
  if (caller.role === 'admin') return;
  const what = kindOf(wanted);
  if (wanted.isfeatured) throw invalidParameter('isfeatured', `only a root admin may feature ${what.one}`);
  if (wanted.ispublic && !publicAllowed) {
    throw invalidParameter(
      'ispublic',
      `users may not make ${what.many} public here (setting allow.public.user.templates)`,
    );
  }
}

export function kindOf({ format }: Pick<ImageRegistration, 'format'>) {
  return format === 'ISO'
    ? ({ word: 'ISO', one: 'an ISO', many: 'ISOs', event: 'ISO', resource: 'Iso' } as const)
    : ({
        word: 'template',
        one: 'a template',
        many: 'templates',
        event: 'TEMPLATE',
        resource: 'Template',
      } as const);
}

function isEveryZone(wanted: Pick<ImageRegistration, 'zoneid' | 'zoneids'>): boolean {
  return wanted.zoneid === '-1' || wanted.zoneids?.[0] === '-1';
}

async function zonesOf(executor: Executor, wanted: ImageRegistration) {
  const { zoneid, zoneids } = wanted;
  if (zoneid !== undefined && zoneids !== undefined) {
    throw invalidParameter('zoneids', 'cannot be used together with zoneid');
  }
  const asked = zoneids ?? (zoneid === undefined ? [] : [zoneid]);
  if (asked.length === 0) throw missingParameter(wanted.command, 'zoneid');
  const { rows } = await listZoneRows(executor, {}, everything);
  if (isEveryZone(wanted)) return rows;
  return [...new Set(asked.map((uuid) => uuid.toLowerCase()))].map((uuid) => {
    const zone = isUuid(uuid) ? rows.find((row) => row.uuid === uuid) : undefined;
    if (!zone) throw entityNotFound(zoneid === undefined ? 'zoneids' : 'zoneid', uuid);
    return zone;
  });
}

interface StoredImage {
  readonly name: string;
  readonly displayText: string;
  readonly url: string;
  readonly checksum: string | undefined;
  readonly bits: number;
  readonly arch: string;
  readonly zoneIds: readonly number[];
  readonly accountId: number;
  readonly osTypeId: number;
  readonly sizeBytes: number | undefined;
  readonly transferBytes: number | undefined;
  readonly sourceCount: number;
  readonly warnings: readonly string[];
  readonly details: Readonly<Record<string, string>>;
  readonly direct: boolean;
}

async function store(
  { database, caller, jobs }: Context,
  wanted: ImageRegistration,
  image: StoredImage,
): Promise<number> {
  const uuid = randomUUID();
  const kind = kindOf(wanted);
  return database.transaction().execute(async (trx) => {
    await demandResources(trx, image.accountId, { template: 1 });
    const id = await insertTemplate(trx, {
      row: {
        uuid,
        unique_name: `${image.accountId}-${uuid}`,
        name: image.name,
        display_text: image.displayText,
        url: image.url,
        format: wanted.format,
        checksum: image.checksum ?? null,
        account_id: image.accountId,
        guest_os_id: image.osTypeId,
        bits: image.bits,
        arch: image.arch,
        bootable: wanted.bootable,
        direct_download: image.direct,
        public: wanted.ispublic ?? false,
        featured: wanted.isfeatured ?? false,
        extractable: wanted.isextractable ?? false,
        dynamically_scalable: wanted.isdynamicallyscalable ?? false,
        enable_sshkey: wanted.sshkeyenabled ?? false,
        enable_password: wanted.passwordenabled ?? false,
        cross_zones: isEveryZone(wanted),
        template_tag: wanted.templatetag ?? null,
        size: image.sizeBytes ?? null,
        physical_size: image.transferBytes ?? null,
        source_count: image.sourceCount,
      },
      zoneIds: image.zoneIds,
      details: image.details,
    });
    if (!image.direct)
      await beginStoreDownload(trx, jobs, {
        templateId: id,
        uuid,
        format: wanted.format,
        zoneIds: image.zoneIds,
        userId: caller.userId,
        accountId: image.accountId,
      });
    const warnings = image.warnings.length > 0 ? `; warnings: ${image.warnings.join('; ')}` : '';
    await recordEvent(trx, {
      type: `${kind.event}.CREATE`,
      level: image.warnings.length > 0 ? 'WARN' : 'INFO',
      description: `registered ${kind.word} ${image.name} from ${redactUrl(image.url)}${warnings}`,
      userId: caller.userId,
      accountId: image.accountId,
      resourceType: kind.resource,
      resourceUuid: uuid,
    });
    return id;
  });
}
