import {
  type Digest,
  type DigestAlgorithm,
  digestAlgorithmOf,
  digestAlgorithms,
  redactUrl,
} from '@millrace/core';
import { type Element, tooLarge } from './element-tree.ts';
import { metalinkError } from './errors.ts';
import type { FileSignature, MetalinkSource } from './types.ts';
import type { Warnings } from './warnings.ts';

/** What both versions share: names, sizes, digests and URLs, each read with the same strictness. */

export const pgpMediaType = 'application/pgp-signature';

export const entryLimits = { files: 64, urls: 2000, digests: 1000 } as const;

export interface EntryCounts {
  urls: number;
  digests: number;
}

export function childrenNamed(element: Element | undefined, name: string): readonly Element[] {
  return element?.children.filter((child) => child.name === name) ?? [];
}

/** @throws MillraceError `METALINK_UNSAFE_NAME` (RFC 5854 §4.1.2.1: no absolute path, no way up). */
export function readFileName(file: Element): string {
  const name = file.attributes.get('name') ?? '';
  const segments = name.split(/[/\\]/);
  const absolute = /^([/\\]|[A-Za-z]:)/.test(name);
  if (absolute || segments.includes('..') || /[\0-\x1F\x7F]/.test(name)) {
    throw metalinkError('METALINK_UNSAFE_NAME', JSON.stringify(name.slice(0, 200)));
  }
  return name;
}

/**
 * The first OpenPGP signature, the only kind that is checked. Version 4 names it by its media type, version 3 by `pgp`.
 */
export function readSignature(elements: readonly Element[], warnings: Warnings): FileSignature | undefined {
  const signatures = elements.map((element): FileSignature => {
    const named = element.attributes.get('mediatype') ?? element.attributes.get('type') ?? '';
    const plain = named.split(';')[0]!.trim().toLowerCase();
    const mediaType = plain === 'pgp' || plain === 'gpg' ? pgpMediaType : plain;
    return { mediaType, text: element.text };
  });
  const chosen = signatures.find(({ mediaType, text }) => mediaType === pgpMediaType && text !== '');
  for (const { mediaType } of signatures.filter((signature) => signature !== chosen)) {
    warnings.add(
      mediaType === pgpMediaType
        ? `signature ignored: ${chosen ? 'there is one already' : 'it is empty'}`
        : `signature ignored: mediatype ${quote(mediaType)} is not known`,
    );
  }
  return chosen;
}

export function readSize(file: Element, warnings: Warnings): number | undefined {
  const sizes = childrenNamed(file, 'size');
  const text = sizes[0]?.text;
  if (text === undefined) return undefined;
  const size = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (sizes.length === 1 && Number.isSafeInteger(size)) return size;
  warnings.add(
    `size ignored: ${sizes.length > 1 ? 'given more than once' : `${quote(text)} is not a number of bytes`}`,
  );
  return undefined;
}

/**
 * Digests of the whole file. Of two that contradict each other the first counts: keeping one makes a fetch fail on wrong
 * bytes, dropping both would let them pass unverified.
 */
export function readDigests(hashes: readonly Element[], counts: EntryCounts, warnings: Warnings): Digest[] {
  counts.digests += hashes.length;
  if (counts.digests > entryLimits.digests) throw tooLarge(`more than ${entryLimits.digests} digests`);
  const digests: Digest[] = [];
  for (const hash of hashes) {
    const type = hash.attributes.get('type') ?? '';
    const algorithm = digestAlgorithmOf(type);
    if (algorithm === undefined) {
      warnings.add(`hash ignored: ${type === '' ? 'no type' : `type ${quote(type)} is not known`}`);
      continue;
    }
    const hex = readHex(hash, algorithm);
    const earlier = digests.find((digest) => digest.algorithm === algorithm);
    if (hex === undefined) {
      warnings.add(`hash ignored: ${quote(hash.text)} is not a ${algorithm} digest in hex`);
    } else if (earlier === undefined) digests.push({ algorithm, hex });
    else if (earlier.hex !== hex) warnings.add(`hash ignored: a second ${algorithm} that is not the first`);
  }
  return digests;
}

/** The digest an element holds, lower-case; `undefined` when it is none of that algorithm. */
export function readHex(hash: Element, algorithm: DigestAlgorithm): string | undefined {
  const hex = hash.text.replaceAll(/\s+/g, '').toLowerCase();
  return hex.length === digestAlgorithms[algorithm].hexLength && /^[0-9a-f]+$/.test(hex) ? hex : undefined;
}

/** The URL of an entry, normalised; `undefined` with a warning when it is not one. */
function readUrl(element: Element, counts: EntryCounts, warnings: Warnings): string | undefined {
  counts.urls += 1;
  if (counts.urls > entryLimits.urls) throw tooLarge(`more than ${entryLimits.urls} URLs`);
  if (URL.canParse(element.text)) {
    const url = new URL(element.text);
    // a fragment is never sent: two URLs that differ in it are one source
    url.hash = '';
    return url.href;
  }
  // what cannot be parsed cannot be redacted part by part: user information goes with all before it
  const shown = redactUrl(element.text.replace(/^.*@/s, '…@'));
  warnings.add(`url ignored: ${quote(shown)} is not an absolute URL`);
  return undefined;
}

/**
 * Every `<url>` that is one. The versions differ in how they count preference; all else is read alike, since tools that
 * write version 4 carry `type` and `maxconnections` over from version 3.
 */
export function readSources(urls: readonly Element[], counts: EntryCounts, warnings: Warnings) {
  return urls.flatMap((element): MetalinkSource[] => {
    const url = readUrl(element, counts, warnings);
    if (url === undefined) return [];
    const location = element.attributes.get('location')?.trim().toLowerCase();
    const type = element.attributes.get('type')?.trim().toLowerCase();
    const priority = readInteger(element, 'priority', { min: 1, max: 999_999 }, warnings);
    const preference = readInteger(element, 'preference', { min: 0, max: 100 }, warnings);
    const maxConnections = readMaxConnections(element, warnings);
    return [
      {
        url,
        ...(location ? { location: location.slice(0, 100) } : {}),
        ...(priority === undefined ? {} : { priority }),
        ...(preference === undefined ? {} : { preference }),
        ...(maxConnections === undefined ? {} : { maxConnections }),
        ...(type ? { type: type.slice(0, 40) } : {}),
      },
    ];
  });
}

export function readMaxConnections(element: Element, warnings: Warnings): number | undefined {
  return readInteger(element, 'maxconnections', { min: 1, max: 1000 }, warnings);
}

function readInteger(
  element: Element,
  attribute: string,
  range: { readonly min: number; readonly max: number },
  warnings: Warnings,
): number | undefined {
  const text = element.attributes.get(attribute)?.trim();
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= range.min && value <= range.max) return value;
  warnings.add(`${attribute} ignored: ${quote(text)} is not a number from ${range.min} to ${range.max}`);
  return undefined;
}

export function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);
}
