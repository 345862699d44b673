import { type Digest, redactUrl, strongestDigest } from '@millrace/core';
import { metalinkError } from './errors.ts';
import type { MetalinkDocument, MetalinkFile, MetalinkSource } from './types.ts';
import { makeWarnings, type Warnings } from './warnings.ts';

export interface SelectOptions {
  /** Labels of the fetching host, nearest first. */
  readonly location: readonly string[];
  /** What decides first. */
  readonly sourceOrder: 'priority' | 'location';
  /** The name the image is expected to have, to find it among several files. */
  readonly wantedName?: string;
}

export interface SelectedSource {
  readonly url: string;
  readonly location?: string;
  /** 1 is best, whatever the version; absent when the metalink gives none, which is worst. */
  readonly priority?: number;
  readonly maxConnections?: number;
  readonly rank: number;
}

export interface Selection {
  readonly pieces?: {
    readonly algorithm: Digest['algorithm'];
    readonly lengthBytes: number;
    readonly hexDigests: readonly string[];
  };
  readonly fileName: string;
  /** Best first; never empty; each URL once. */
  readonly sources: readonly SelectedSource[];
  readonly digests: readonly Digest[];
  readonly strongestDigest?: Digest;
  readonly sizeBytes?: number;
  readonly warnings: readonly string[];
}

/**
 * Chooses the file, and orders its http and https sources: by priority, then by how near their location is, then as
 * listed; `sourceOrder: 'location'` swaps the first two.
 * @throws MillraceError `METALINK_AMBIGUOUS`, `METALINK_NO_SOURCE`.
 */
export function selectSources(document: MetalinkDocument, options: SelectOptions): Selection {
  const warnings = makeWarnings();
  const file = chooseFile(document, options.wantedName);
  const usable = usableSources(file, warnings);
  if (usable.length === 0) {
    const listed = file.sources.length === 0 ? 'it has no URL' : 'none of its URLs is http or https';
    throw metalinkError('METALINK_NO_SOURCE', `${JSON.stringify(file.name.slice(0, 200))}: ${listed}`);
  }
  const strongest = strongestDigest(file.digests);
  if (strongest === undefined)
    warnings.add('the metalink has no usable digest: the bytes cannot be verified');
  else if (strongest.algorithm === 'MD5' || strongest.algorithm === 'SHA-1') {
    warnings.add(`the metalink has no digest stronger than ${strongest.algorithm}, which can be forged`);
  }
  return {
    fileName: file.name,
    sources: usable
      .map(toSelected)
      .sort(compareBy(options))
      .map((one, i) => ({ ...one, rank: i + 1 })),
    digests: file.digests,
    ...(strongest === undefined ? {} : { strongestDigest: strongest }),
    ...(file.sizeBytes === undefined ? {} : { sizeBytes: file.sizeBytes }),
    warnings: [...document.warnings, ...warnings.list()],
  };
}

function chooseFile(document: MetalinkDocument, wantedName: string | undefined): MetalinkFile {
  const { files } = document;
  if (files.length === 1) return files[0]!;
  const baseName = (name: string) => name.split('/').at(-1)!.toLowerCase();
  const fitting = files.filter((file) => wantedName && baseName(file.name) === baseName(wantedName));
  if (fitting.length === 1) return fitting[0]!;
  const names = files.map((file) => JSON.stringify(file.name.slice(0, 80))).slice(0, 8);
  const wanted = wantedName ? `, wanted is ${JSON.stringify(wantedName.slice(0, 80))}` : '';
  throw metalinkError('METALINK_AMBIGUOUS', `${files.length} files: ${names.join(', ')}${wanted}`);
}

function usableSources(file: MetalinkFile, warnings: Warnings): MetalinkSource[] {
  const seen = new Set<string>();
  return file.sources.filter((source) => {
    const { protocol } = new URL(source.url);
    if (protocol !== 'http:' && protocol !== 'https:') {
      warnings.add(`url ignored: ${redactUrl(source.url).slice(0, 120)}: only http and https can be fetched`);
      return false;
    }
    if (seen.has(source.url)) return false;
    seen.add(source.url);
    return true;
  });
}

function toSelected(source: MetalinkSource): Omit<SelectedSource, 'rank'> {
  // version 3 counts up to 100, version 4 down to 1: one scale from here on
  const priority = source.priority ?? (source.preference === undefined ? undefined : 101 - source.preference);
  return {
    url: source.url,
    ...(source.location === undefined ? {} : { location: source.location }),
    ...(priority === undefined ? {} : { priority }),
    ...(source.maxConnections === undefined ? {} : { maxConnections: source.maxConnections }),
  };
}

function compareBy(
  options: SelectOptions,
): (a: Omit<SelectedSource, 'rank'>, b: Omit<SelectedSource, 'rank'>) => number {
  const labels = options.location.map((label) => label.trim().toLowerCase());
  const byPriority = (a: Omit<SelectedSource, 'rank'>, b: Omit<SelectedSource, 'rank'>) =>
    rank(a.priority) - rank(b.priority);
  const byDistance = (a: Omit<SelectedSource, 'rank'>, b: Omit<SelectedSource, 'rank'>) =>
    distance(a.location, labels) - distance(b.location, labels);
  // Array.prototype.sort is stable: what is equal stays as listed
  return options.sourceOrder === 'location'
    ? (a, b) => byDistance(a, b) || byPriority(a, b)
    : (a, b) => byPriority(a, b) || byDistance(a, b);
}

function rank(priority: number | undefined): number {
  return priority ?? Number.MAX_SAFE_INTEGER;
}

/** 0 for the nearest label; sources without a matching label are equally far. */
function distance(location: string | undefined, labels: readonly string[]): number {
  const index = location === undefined ? -1 : labels.indexOf(location);
  return index === -1 ? labels.length : index;
}
