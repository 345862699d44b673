import { randomUUID } from 'node:crypto';
import type { FetchPolicy } from '@millrace/agent-protocol';
import {
  entityNotFound,
  invalidParameter,
  isUuid,
  missingParameter,
  type ParamsOf,
  specs,
} from '@millrace/api';
import { redactUrl } from '@millrace/core';
import { fetchPolicyFrom } from '../domain/fetch-policy.ts';
import {
  checksumOrList,
  checksumTrustDetail,
  cpuArchitecture,
  displayableName,
  imageSourceOf,
  templateFormat,
  templateHypervisor,
  templateUrl,
  wordSize,
} from '../domain/template-registration.ts';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { defaultOsType, findOsType } from '../store/guest-os.ts';
import { workingHosts } from '../store/host-list.ts';
import { everything } from '../store/paging.ts';
import { readSettings } from '../store/settings.ts';
import { insertTemplate, listTemplateRows } from '../store/templates.ts';
import { listZoneRows } from '../store/zone-list.ts';
import { type Caller, type CommandContext, implement } from './command.ts';
import { findChecksum } from './find-checksum.ts';
import { type ProbeHost, probeSource } from './probe-source.ts';
import { templateEntities } from './responses/template.ts';
import { ownerOf } from './scope.ts';

type Params = ParamsOf<(typeof specs.registerTemplate)['params']>;

export const registerTemplate = implement(specs.registerTemplate, async (context) => {
  const { params, database, caller } = context;
  const image = imageOf(params);
  const settings = await readSettings(database);
  demandDirectDownload(params.directdownload, settings['direct.download.default']);
  demandVisibility(params, caller, settings['allow.public.user.templates']);
  const zones = await zonesOf(database, params);
  const owner = await ownerOf(database, caller, params);
  const osType = await findOsType(database, params.ostypeid);
  if (!osType) throw entityNotFound('ostypeid', params.ostypeid ?? defaultOsType);
  const hosts = await workingHosts(
    database,
    zones.map((zone) => zone.id),
  );
  const policy = fetchPolicyFrom(settings);
  const found =
    image.listUrl && (await findListedChecksum(context, { hosts, policy, image, url: image.listUrl }));
  const checksum = found ? found.checksum : image.checksum;
  const source = imageSourceOf({ ...image, checksum }, image.details);
  const report = await probeSource({ ...context, hosts, source, policy });
  const templateId = await store(context, {
    ...image,
    checksum,
    details: {
      ...image.details,
      ...(found ? { [checksumTrustDetail]: found.trust } : {}),
    },
    zoneIds: zones.map((zone) => zone.id),
    allZones: isEveryZone(params),
    accountId: owner.accountId,
    osTypeId: osType.id,
    sizeBytes: report.virtualSizeBytes,
    transferBytes: report.transferBytes,
    sourceCount: report.sources.length,
    warnings: [...(found ? found.warnings : []), ...report.warnings],
  });
  const filter = { selection: { kind: 'everything' }, templateIds: [templateId], unique: true } as const;
  const { rows } = await listTemplateRows(database, filter, everything);
  const viewer = { isAdmin: caller.role === 'admin', accountId: caller.accountId };
  return { list: await templateEntities(database, rows, viewer), count: rows.length };
});

/** Everything that can be judged without asking anybody. */
function imageOf(params: Params) {
  templateHypervisor(params.hypervisor);
  const details = params.details ?? {};
  const { checksum, listUrl } = checksumOrList(params.checksum, details);
  const image = {
    name: displayableName('name', params.name),
    displayText: displayableName('displaytext', params.displaytext),
    format: templateFormat(params.format),
    url: templateUrl(params.url),
    checksum,
    listUrl,
    details,
    bits: wordSize(params.bits),
    arch: cpuArchitecture(params.arch),
  };
  imageSourceOf(image, details);
  return image;
}

/** Has a host find the image's checksum in the list that its publisher gives. @throws ApiError 431 with the reason */
async function findListedChecksum(
  context: CommandContext<(typeof specs.registerTemplate)['params']>,
  wanted: {
    readonly hosts: readonly ProbeHost[];
    readonly policy: FetchPolicy;
    readonly image: ReturnType<typeof imageOf>;
    readonly url: string;
  },
) {
  const { hosts, policy, image, url } = wanted;
  const source = imageSourceOf(image, image.details);
  return findChecksum({ ...context, hosts, source, policy, checksumUrl: url });
}

function demandDirectDownload(asked: boolean | undefined, byDefault: boolean): void {
  if (asked ?? byDefault) return;
  throw invalidParameter(
    'directdownload',
    'must be true: this release has no secondary storage, hosts download images themselves; register with directdownload=true',
  );
}

function demandVisibility(params: Params, caller: Caller, publicAllowed: boolean): void {
  if (caller.role === 'admin') return;
  if (params.isfeatured) throw invalidParameter('isfeatured', 'only a root admin may feature a template');
  if (params.ispublic && !publicAllowed) {
    throw invalidParameter(
      'ispublic',
      'users may not make templates public here (setting allow.public.user.templates)',
    );
  }
}

function isEveryZone(params: Params): boolean {
  return params.zoneid === '-1' || params.zoneids?.[0] === '-1';
}

async function zonesOf(executor: Executor, params: Params) {
  const { zoneid, zoneids } = params;
  if (zoneid !== undefined && zoneids !== undefined) {
    throw invalidParameter('zoneids', 'cannot be used together with zoneid');
  }
  const asked = zoneids ?? (zoneid === undefined ? [] : [zoneid]);
  if (asked.length === 0) throw missingParameter('registerTemplate', 'zoneid');
  const { rows } = await listZoneRows(executor, {}, everything);
  if (isEveryZone(params)) return rows;
  return [...new Set(asked.map((uuid) => uuid.toLowerCase()))].map((uuid) => {
    const zone = isUuid(uuid) ? rows.find((row) => row.uuid === uuid) : undefined;
    if (!zone) throw entityNotFound(zoneid === undefined ? 'zoneids' : 'zoneid', uuid);
    return zone;
  });
}

interface StoredImage {
  readonly name: string;
  readonly displayText: string;
  readonly format: string;
  readonly url: string;
  readonly checksum: string | undefined;
  readonly bits: number;
  readonly arch: string;
  readonly zoneIds: readonly number[];
  readonly allZones: boolean;
  readonly accountId: number;
  readonly osTypeId: number;
  readonly sizeBytes: number | undefined;
  readonly transferBytes: number | undefined;
  readonly sourceCount: number;
  readonly warnings: readonly string[];
  readonly details: Readonly<Record<string, string>>;
}

async function store(
  { database, params, caller }: CommandContext<(typeof specs.registerTemplate)['params']>,
  image: StoredImage,
): Promise<number> {
  const uuid = randomUUID();
  return database.transaction().execute(async (trx) => {
    const id = await insertTemplate(trx, {
      row: {
        uuid,
        unique_name: `${image.accountId}-${uuid}`,
        name: image.name,
        display_text: image.displayText,
        url: image.url,
        format: image.format,
        checksum: image.checksum ?? null,
        account_id: image.accountId,
        guest_os_id: image.osTypeId,
        bits: image.bits,
        arch: image.arch,
        direct_download: true,
        public: params.ispublic ?? false,
        featured: params.isfeatured ?? false,
        extractable: params.isextractable ?? false,
        dynamically_scalable: params.isdynamicallyscalable ?? false,
        enable_sshkey: params.sshkeyenabled ?? false,
        cross_zones: image.allZones,
        template_tag: params.templatetag ?? null,
        size: image.sizeBytes ?? null,
        physical_size: image.transferBytes ?? null,
        source_count: image.sourceCount,
      },
      zoneIds: image.zoneIds,
      details: image.details,
    });
    const warnings = image.warnings.length > 0 ? `; warnings: ${image.warnings.join('; ')}` : '';
    await recordEvent(trx, {
      type: 'TEMPLATE.CREATE',
      level: image.warnings.length > 0 ? 'WARN' : 'INFO',
      description: `registered template ${image.name} from ${redactUrl(image.url)}${warnings}`,
      userId: caller.userId,
      accountId: image.accountId,
      resourceType: 'Template',
      resourceUuid: uuid,
    });
    return id;
  });
}
