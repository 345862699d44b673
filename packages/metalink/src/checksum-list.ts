import {
  type Digest,
  digestAlgorithmOf,
  digestAlgorithms,
  isForgeable,
  MillraceError,
  parseChecksum,
  strongestDigest,
} from '@millrace/core';
import { clearSignedText } from './clear-signed.ts';
import { quote } from './entries.ts';
import { metalinkError } from './errors.ts';
import { makeWarnings, type Warnings } from './warnings.ts';

/** A file of checksums such as `SHA256SUMS`, read. */
export interface ChecksumList {
  readonly entries: readonly ChecksumEntry[];
  /** The text is inside a clear-signed message. That alone proves nothing: anybody can write the frame. */
  readonly clearSigned: boolean;
  /** What was dropped, and why. Bounded. */
  readonly warnings: readonly string[];
}

export interface ChecksumEntry {
  readonly digest: Digest;
  /** As written, unescaped; absent where the checksum stands alone. */
  readonly name?: string;
}

export const checksumListLimits = { bytes: 1024 * 1024, lineCharacters: 4096 } as const;

/**
 * Reads the lines that coreutils write (`hex  name`, `hex *name`, escaped names, and `SHA256 (name) = hex` of BSD, OpenSSL and
 * `--tag`), bare digests with or without `{ALGORITHM}`, comments, and clear-signed messages, of which only the signed part
 * counts. Without a tag the length of a digest names its algorithm.
 * @throws MillraceError `CHECKSUM_LIST_MALFORMED`, and nothing else whatever the input is.
 */
export function parseChecksumList(source: string | Uint8Array): ChecksumList {
  const warnings = makeWarnings();
  const whole = decodeList(source);
  const signed = clearSignedText(whole);
  if (signed === 'malformed') throw malformed('its clear-signed message is not complete');
  if (signed?.outside) warnings.add('lines outside of the signed message ignored');
  const lines = (signed?.text ?? whole).split(/\r?\n/);
  const entries = lines.flatMap((line, index) => {
    if (line.trim() === '' || /^\s*(#|;)/.test(line)) return [];
    const entry = line.length > checksumListLimits.lineCharacters ? undefined : readLine(line);
    if (entry === undefined)
      warnings.add(`line ${index + 1} ignored: ${quote(line.slice(0, 60))} is no checksum`);
    return entry ?? [];
  });
  if (entries.length === 0) {
    throw malformed(
      /^\s*<(!doctype|html|\?xml)/i.test(whole) ? 'it is a web page' : 'no line of it is a checksum',
    );
  }
  return { entries, clearSigned: signed !== undefined, warnings: warnings.list() };
}

export interface ChosenChecksum {
  readonly digest: Digest;
  readonly warnings: readonly string[];
}

/**
 * The strongest digest that a list gives for a file. A full name counts before a last part of a path; a list of nothing but
 * one bare digest is about whatever it stands beside.
 * @throws MillraceError `CHECKSUM_ENTRY_MISSING`, `CHECKSUM_ENTRY_AMBIGUOUS`, both naming what there is.
 */
export function chooseChecksum(list: ChecksumList, wantedName: string): ChosenChecksum {
  const warnings = makeWarnings();
  const fitting = entriesFor(list, wantedName, warnings);
  if (fitting.length === 0) {
    const names = [...new Set(list.entries.map(({ name }) => name ?? 'a digest without a name'))];
    const shown = names.slice(0, 8).map((name) => quote(name));
    const found = `wanted is ${quote(wantedName)}, there are ${shown.join(', ')}${names.length > 8 ? ', …' : ''}`;
    throw metalinkError('CHECKSUM_ENTRY_MISSING', found);
  }
  const digest = strongestDigest(fitting.map((entry) => entry.digest))!;
  const other = fitting.find(
    (entry) => entry.digest.algorithm === digest.algorithm && entry.digest.hex !== digest.hex,
  );
  if (other) {
    const found = `${digest.algorithm} of ${quote(wantedName)} is ${digest.hex} and ${other.digest.hex}`;
    throw metalinkError('CHECKSUM_ENTRY_AMBIGUOUS', found);
  }
  if (isForgeable(digest.algorithm)) {
    warnings.add(`the list has no digest stronger than ${digest.algorithm}, which can be forged`);
  }
  return { digest, warnings: [...list.warnings, ...warnings.list()] };
}

function entriesFor({ entries }: ChecksumList, wanted: string, warnings: Warnings): readonly ChecksumEntry[] {
  const named = (rule: (name: string) => boolean) =>
    entries.filter(({ name }) => name !== undefined && rule(name));
  const exact = named((name) => name === wanted || name === `./${wanted}`);
  if (exact.length > 0) return exact;
  const baseName = (name: string) => name.split(/[/\\]/).at(-1)!;
  const byBase = named((name) => baseName(name) === baseName(wanted));
  if (byBase.length > 0) return byBase;
  if (entries.some(({ name }) => name !== undefined)) return [];
  warnings.add('the checksum stands alone: nothing says which file it belongs to');
  return entries;
}

function readLine(line: string): ChecksumEntry | undefined {
  return readTagged(line) ?? readUntagged(line) ?? readBare(line);
}

/** `SHA256 (name) = hex`; OpenSSL leaves the spaces out and says `SHA2-256`. A name may itself hold `) = `. */
function readTagged(line: string): ChecksumEntry | undefined {
  const match = /^(\\?)([A-Za-z][A-Za-z0-9/_-]{1,20}) ?\((.+)\) ?= ?([0-9A-Fa-f]{32,128})\s*$/s.exec(line);
  if (!match) return undefined;
  const algorithm = digestAlgorithmOf(match[2]!.replace(/^SHA2-/i, 'SHA-'));
  const hex = match[4]!.toLowerCase();
  if (algorithm === undefined || hex.length !== digestAlgorithms[algorithm].hexLength) return undefined;
  const name = unescaped(match[3]!, match[1] !== '');
  return name === undefined ? undefined : { digest: { algorithm, hex }, name };
}

/** `hex  name` or `hex *name`, and what people write by hand, with any blanks. `-` is what was read from a pipe. */
function readUntagged(line: string): ChecksumEntry | undefined {
  const match = /^(\\?)([0-9A-Fa-f]{32,128})(?: [ *]|[ \t]+)(.+)$/s.exec(line);
  const digest = match && digestOf(match[2]!);
  const name = match && unescaped(match[3]!, match[1] !== '');
  if (!digest || name === undefined || name === null || name.trim() === '') return undefined;
  return name === '-' ? { digest } : { digest, name };
}

function readBare(line: string): ChecksumEntry | undefined {
  const digest = /^\s*(\{[A-Za-z0-9_-]{1,20}\})?[0-9A-Fa-f]{32,128}\s*$/.test(line) && digestOf(line);
  return digest ? { digest } : undefined;
}

function digestOf(text: string): Digest | undefined {
  try {
    return parseChecksum(text);
  } catch (error) {
    if (error instanceof MillraceError) return undefined;
    throw error;
  }
}

/** Where a line begins with a backslash, coreutils wrote line ends and backslashes of the name as escapes. */
function unescaped(name: string, escaped: boolean): string | undefined {
  if (!escaped) return name;
  if (!/^(?:[^\\]|\\[\\nr])*$/.test(name)) return undefined;
  return name.replaceAll(/\\([\\nr])/g, (_, kind: string) => ({ n: '\n', r: '\r' })[kind] ?? '\\');
}

function decodeList(source: string | Uint8Array): string {
  const size = typeof source === 'string' ? source.length : source.byteLength;
  if (size > checksumListLimits.bytes) {
    throw malformed(`it has more than ${checksumListLimits.bytes} bytes`);
  }
  if (typeof source === 'string') return source.replace(/^\uFEFF/, '');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(source);
  } catch (error) {
    throw malformed('it is not UTF-8', error);
  }
}

function malformed(found: string, cause?: unknown): MillraceError {
  return metalinkError('CHECKSUM_LIST_MALFORMED', found, cause);
}
