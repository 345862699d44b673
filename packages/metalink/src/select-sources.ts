import { type Digest, isForgeable, redactUrl, strongestDigest } from '@millrace/core';
import { metalinkError } from './errors.ts';
import type { FileSignature, MetalinkDocument, MetalinkFile, MetalinkSource, PieceDigests } from './types.ts';
import { makeWarnings, type Warnings } from './warnings.ts';

export interface SelectOptions {
  /** Labels of the fetching host, nearest first. */
  readonly location: readonly string[];
  /** What decides first. */
  readonly sourceOrder: 'priority' | 'location';
  /** The file that somebody asked for by its name: no other one will do, even where it is the only one. */
  readonly wantedFile?: string;
  /** The name the image probably has, to find it among several files. Of a metalink with one file that one is taken. */
  readonly wantedName?: string;
}

export interface SelectedSource {
  readonly url: string;
  readonly location?: string;
  /** 1 is best, whatever the version; absent when the metalink gives none, which is worst. */
  readonly priority?: number;
  /** Counted from 1. Sources equal in priority and in distance of location share one: nobody prefers any of them. */
  readonly rank: number;
  readonly maxConnections?: number;
}

export interface Selection {
  readonly fileName: string;
  /** Best first; never empty; each URL once. */
  readonly sources: readonly SelectedSource[];
  readonly digests: readonly Digest[];
  readonly strongestDigest?: Digest;
  readonly sizeBytes?: number;
  /**
   * Of as many pieces as a file of `sizeBytes` has, and only then. They come from the same document as the digests: what they
   * prove is the metalink's word, never a digest that somebody else gave. Pieces of an `isForgeable` algorithm show where
   * bytes are damaged, not that nobody has changed them.
   */
  readonly pieces?: PieceDigests;
  readonly signature?: FileSignature;
  /** How many connections are welcome to all sources together. */
  readonly maxConnections?: number;
  readonly warnings: readonly string[];
}

const fetchableSchemes = new Set(['http:', 'https:', 'nfs:', 's3:']);
/** Version 3 types of URLs that lead to the file itself; `bittorrent` and the like lead to a description of it. */
const directTypes = new Set(['http', 'https', 'nfs', 's3']);

/**
 * Chooses the file, and orders its http, https, nfs and s3 sources: by priority, then by how near their location is, then as
 * listed; `sourceOrder: 'location'` swaps the first two.
 * @throws MillraceError `METALINK_AMBIGUOUS`, `METALINK_FILE_MISSING`, `METALINK_NO_SOURCE`.
 */
export function selectSources(document: MetalinkDocument, options: SelectOptions): Selection {
  const warnings = makeWarnings();
  const file = chooseFile(document, options);
  const usable = usableSources(file, warnings);
  if (usable.length === 0) {
    const listed = file.sources.length === 0 ? 'it has no URL' : 'none of its URLs can be fetched';
    throw metalinkError('METALINK_NO_SOURCE', `${shownName(file.name)}: ${listed}`);
  }
  const strongest = strongestDigest(file.digests);
  const pieces = choosePieces(file, warnings);
  if (strongest === undefined) {
    warnings.add(
      'the metalink has no usable digest of the whole file: the bytes cannot be verified as a whole',
    );
  } else if (isForgeable(strongest.algorithm)) {
    warnings.add(`the metalink has no digest stronger than ${strongest.algorithm}, which can be forged`);
  }
  return {
    fileName: file.name,
    sources: ranked(usable, options),
    digests: file.digests,
    ...(strongest === undefined ? {} : { strongestDigest: strongest }),
    ...(file.sizeBytes === undefined ? {} : { sizeBytes: file.sizeBytes }),
    ...(pieces ? { pieces } : {}),
    ...(file.signature ? { signature: file.signature } : {}),
    ...(file.maxConnections === undefined ? {} : { maxConnections: file.maxConnections }),
    warnings: [...document.warnings, ...warnings.list()],
  };
}

function chooseFile({ files }: MetalinkDocument, options: SelectOptions): MetalinkFile {
  // a URL that ends in a slash gives no name: an empty one fits nothing
  const wanted = options.wantedFile ?? (options.wantedName || undefined);
  if (files.length === 1 && options.wantedFile === undefined) return files[0]!;
  const fitting = wanted === undefined ? [] : filesNamed(files, wanted);
  if (fitting.length === 1) return fitting[0]!;
  const names = files.slice(0, 8).map((file) => shownName(file.name));
  const more = files.length > names.length ? ', …' : '';
  const asked = wanted === undefined ? '' : `, wanted is ${shownName(wanted)}`;
  const missing = options.wantedFile !== undefined && fitting.length === 0;
  throw metalinkError(
    missing ? 'METALINK_FILE_MISSING' : 'METALINK_AMBIGUOUS',
    `${files.length} ${files.length === 1 ? 'file' : 'files'}: ${names.join(', ')}${more}${asked}`,
  );
}

/** Those with the very name; where there are none, those whose last part is that of the name, whatever the case. */
function filesNamed(files: readonly MetalinkFile[], wanted: string): readonly MetalinkFile[] {
  const exact = files.filter(({ name }) => name === wanted);
  if (exact.length > 0) return exact;
  const baseName = (name: string) => name.split('/').at(-1)!.toLowerCase();
  return files.filter(({ name }) => baseName(name) === baseName(wanted));
}

function shownName(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
}

function usableSources(file: MetalinkFile, warnings: Warnings): MetalinkSource[] {
  const seen = new Set<string>();
  return file.sources.filter((source) => {
    const problem = sourceProblem(source);
    if (problem !== undefined) {
      warnings.add(`url ignored: ${redactUrl(source.url).slice(0, 120)}: ${problem}`);
      return false;
    }
    if (seen.has(source.url)) return false;
    seen.add(source.url);
    return true;
  });
}

function sourceProblem({ url, type }: MetalinkSource): string | undefined {
  const { protocol, host } = new URL(url);
  if (!fetchableSchemes.has(protocol)) return 'only http, https, nfs and s3 can be fetched';
  if (host === '') return protocol === 's3:' ? 'it names no bucket' : 'it names no host';
  if (type !== undefined && !directTypes.has(type))
    return `its type is ${JSON.stringify(type)}, not the file itself`;
  return undefined;
}

/** The strongest list that fits the size. Without a size nobody can tell whether the last pieces are left out. */
function choosePieces(file: MetalinkFile, warnings: Warnings): PieceDigests | undefined {
  const { sizeBytes } = file;
  const fitting = file.pieces.filter(({ lengthBytes, hexDigests: { length: count } }) => {
    const expected = sizeBytes === undefined ? undefined : Math.ceil(sizeBytes / lengthBytes);
    if (expected === count) return true;
    warnings.add(
      expected === undefined
        ? 'pieces ignored: without a size it is unknown how many there must be'
        : `pieces ignored: ${count} of ${lengthBytes} bytes, a file of ${sizeBytes} bytes has ${expected}`,
    );
    return false;
  });
  const strongest = strongestDigest(fitting.map(({ algorithm }) => ({ algorithm, hex: '' })));
  const chosen = fitting.find(({ algorithm }) => algorithm === strongest?.algorithm);
  if (chosen && isForgeable(chosen.algorithm)) {
    warnings.add(`the pieces have no digest stronger than ${chosen.algorithm}, which can be forged`);
  }
  return chosen;
}

/** What decides about the order of a source, lower first, most important first. */
interface Weighed {
  readonly source: Omit<SelectedSource, 'rank'>;
  readonly weights: readonly [number, number];
}

function ranked(sources: readonly MetalinkSource[], options: SelectOptions): SelectedSource[] {
  const labels = options.location.map((label) => label.trim().toLowerCase());
  const weighed = sources.map((one): Weighed => {
    const source = toSelected(one);
    const priority = source.priority ?? Number.MAX_SAFE_INTEGER;
    const far = distance(source.location, labels);
    return { source, weights: options.sourceOrder === 'location' ? [far, priority] : [priority, far] };
  });
  // Array.prototype.sort is stable: what is equal stays as listed
  weighed.sort(({ weights: a }, { weights: b }) => a[0] - b[0] || a[1] - b[1]);
  let rank = 0;
  return weighed.map(({ source, weights }, index) => {
    const before = weighed[index - 1]?.weights;
    if (before?.[0] !== weights[0] || before[1] !== weights[1]) rank += 1;
    return { ...source, rank };
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

/** 0 for the nearest label; sources without a matching label are equally far. */
function distance(location: string | undefined, labels: readonly string[]): number {
  const index = location === undefined ? -1 : labels.indexOf(location);
  return index === -1 ? labels.length : index;
}
