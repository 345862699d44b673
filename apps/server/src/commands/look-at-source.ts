import type { ProbeReport } from '@millrace/agent-protocol';
import { fetchPolicyFrom } from '../domain/fetch-policy.ts';
import type { Settings } from '../domain/settings.ts';
import { checksumTrustDetail, imageSourceOf, type TemplateFormat } from '../domain/template-registration.ts';
import { trustedInZones } from '../store/certificates.ts';
import { workingHosts } from '../store/host-list.ts';
import type { CommandDependencies } from './command.ts';
import { findChecksum } from './find-checksum.ts';
import { probeSource } from './probe-source.ts';

export interface SourceToLookAt {
  readonly url: string;
  readonly format: TemplateFormat | 'ISO';
  readonly checksum: string | undefined;
  /** A list to find the checksum in. */
  readonly listUrl: string | undefined;
  readonly details: Readonly<Record<string, string>>;
  readonly zoneIds: readonly number[];
  readonly settings: Settings;
}

export interface LookedAtSource {
  readonly checksum: string | undefined;
  /** With how the checksum is trusted, when it was found in a list. */
  readonly details: Readonly<Record<string, string>>;
  readonly report: ProbeReport;
  readonly warnings: readonly string[];
}

/**
 * Has a host of the zones look at the source of an image, and at the list that has its checksum.
 * @throws ApiError 431 with the reason per source when none is usable
 */
export async function lookAtSource(
  context: CommandDependencies & { readonly signal: AbortSignal },
  image: SourceToLookAt,
): Promise<LookedAtSource> {
  const { database } = context;
  const { details, zoneIds } = image;
  const hosts = await workingHosts(database, zoneIds);
  const policy = fetchPolicyFrom(image.settings, await trustedInZones(database, zoneIds));
  const found =
    image.listUrl &&
    (await findChecksum({
      ...context,
      hosts,
      policy,
      source: imageSourceOf(image, details),
      checksumUrl: image.listUrl,
    }));
  const checksum = found ? found.checksum : image.checksum;
  const source = imageSourceOf({ ...image, checksum }, details);
  const report = await probeSource({ ...context, hosts, source, policy });
  return {
    checksum,
    details: { ...details, ...(found ? { [checksumTrustDetail]: found.trust } : {}) },
    report,
    warnings: [...(found ? found.warnings : []), ...report.warnings],
  };
}
