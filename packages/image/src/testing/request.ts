import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FetchLimits, ImageRequest } from '../types.ts';

/** Limits that let a fault show within a second. */
export const quickLimits: FetchLimits = {
  connectTimeoutMs: 5000,
  stallTimeoutMs: 1000,
  checksumAttempts: 3,
  maxRedirects: 5,
  maxVirtualSizeBytes: 2 ** 40,
  maxTransferBytes: 2 ** 32,
  sourceOrder: 'priority',
};

/** A request to a server on loopback, with the operator's own rights unless `egress` says otherwise. */
export function requestFor(
  url: string,
  change: Partial<Omit<ImageRequest, 'limits'>> & { readonly limits?: Partial<FetchLimits> } = {},
): ImageRequest {
  return {
    url,
    headers: {},
    format: 'raw',
    expectedDigest: undefined,
    location: [],
    egress: undefined,
    ...change,
    limits: { ...quickLimits, ...change.limits },
  };
}

export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
  /** Every name in it, hidden ones included. */
  names(): Promise<readonly string[]>;
}

export async function temporaryDirectory(): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), 'millrace-test-'));
  return {
    path,
    names: async () => (await readdir(path)).sort(),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** A version 4 metalink; the sources in the order given get the priorities 1, 2, 3, … */
export function metalinkOf(
  urls: readonly (
    | string
    | { readonly url: string; readonly location?: string; readonly priority?: number }
  )[],
  facts: { readonly sha256?: string; readonly size?: number; readonly name?: string } = {},
): Buffer {
  const sources = urls.map((entry, index) => {
    const { url, location, priority } = typeof entry === 'string' ? { url: entry } : entry;
    const place = location === undefined ? '' : ` location="${location}"`;
    const escaped = url.replaceAll('&', '&amp;');
    return `    <url priority="${priority ?? index + 1}"${place}>${escaped}</url>`;
  });
  return Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
  <file name="${facts.name ?? 'image'}">
    ${facts.size === undefined ? '' : `<size>${facts.size}</size>`}
    ${facts.sha256 === undefined ? '' : `<hash type="sha-256">${facts.sha256}</hash>`}
${sources.join('\n')}
  </file>
</metalink>
`);
}
