import type { ProbedSource, ProbeReport } from '@millrace/agent-protocol';
import { type EntityOf, entityNotFound, specs, type templateProbeFields } from '@millrace/api';
import { redactUrl } from '@millrace/core';
import { fetchPolicyFrom } from '../domain/fetch-policy.ts';
import {
  checksumOrList,
  declaredFormatOf,
  probedSourceOf,
  templateFormat,
  templateUrl,
} from '../domain/template-registration.ts';
import { trustedInZones } from '../store/certificates.ts';
import { workingHosts } from '../store/host-list.ts';
import { everything } from '../store/paging.ts';
import { readSettings } from '../store/settings.ts';
import { listZoneRows } from '../store/zone-list.ts';
import { implement } from './command.ts';
import { findChecksum } from './find-checksum.ts';
import { onlyOne, probeSource } from './probe-source.ts';

export const probeTemplate = implement(specs.probeTemplate, async (context) => {
  const { params, database } = context;
  const details = params.details ?? {};
  const url = templateUrl(params.url);
  const format = params.format === undefined ? undefined : declaredFormat(params.format);
  const { checksum: given, listUrl } = checksumOrList(params.checksum, details);
  const sourceWith = (checksum: string | undefined): ProbedSource => ({
    ...probedSourceOf({ url, checksum }, details),
    ...(format ? { format } : {}),
  });
  // refuses details that are no good before any host is asked
  sourceWith(given);
  const filter = params.zoneid === undefined ? {} : { uuids: [params.zoneid] };
  const { rows: zones } = await listZoneRows(database, filter, everything);
  if (params.zoneid !== undefined && zones.length === 0) throw entityNotFound('zoneid', params.zoneid);
  const zoneIds = zones.map((zone) => zone.id);
  const hosts = await workingHosts(database, zoneIds);
  const trusted = await trustedInZones(database, zoneIds);
  const policy = fetchPolicyFrom(await readSettings(database, { zoneId: onlyOne(zoneIds) }), trusted);
  const listed =
    listUrl === undefined
      ? undefined
      : await findChecksum({
          ...context,
          hosts,
          policy,
          source: sourceWith(undefined),
          checksumUrl: listUrl,
        });
  const checksum = listed?.checksum ?? given;
  const report = await probeSource({ ...context, hosts, policy, source: sourceWith(checksum) });
  const trust = listed?.trust ?? trustOf(report, given);
  const warnings = [...(listed?.warnings ?? []), ...report.warnings];
  return { object: probeEntity({ ...report, warnings }, trust) };
});

function declaredFormat(text: string) {
  return text.toUpperCase() === 'ISO' ? 'iso' : declaredFormatOf(templateFormat(text));
}

function trustOf(report: ProbeReport, given: string | undefined): string {
  if (given !== undefined) return 'as you gave it';
  if (report.checksum !== undefined) return 'from the metalink';
  return 'none: whatever a source sends is taken for the image';
}

function probeEntity(report: ProbeReport, trust: string): EntityOf<typeof templateProbeFields> {
  return {
    // an OVA is a tar with one VMDK in it
    format: report.format === 'vmdk' && report.compression === 'tar' ? 'OVA' : report.format?.toUpperCase(),
    compression: report.compression ?? 'none',
    ismetalink: report.metalink,
    virtualsize: report.virtualSizeBytes,
    transfersize: report.transferBytes,
    checksum: report.checksum,
    checksumtrust: trust,
    warnings: report.warnings,
    source: report.sources.map((source) => ({
      url: redactUrl(source.url),
      location: source.location,
      priority: source.priority,
      usable: source.usable,
      size: source.sizeBytes,
      reason: source.reason,
      message: source.message,
    })),
  };
}
