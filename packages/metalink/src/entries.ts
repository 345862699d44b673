import { type Digest, digestAlgorithmOf, digestAlgorithms, redactUrl } from '@millrace/core';
import { type Element, tooLarge } from './element-tree.ts';
import { metalinkError } from './errors.ts';
import type { MetalinkSource } from './types.ts';
import type { Warnings } from './warnings.ts';

/** What both versions share: names, sizes, digests and URLs, each read with the same strictness. */

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

export function readDigests(hashes: readonly Element[], counts: EntryCounts, warnings: Warnings): Digest[] {
  counts.digests += hashes.length;
  if (counts.digests > entryLimits.digests) throw tooLarge(`more than ${entryLimits.digests} digests`);
  return hashes.flatMap((hash) => {
    const type = hash.attributes.get('type') ?? '';
    const algorithm = digestAlgorithmOf(type);
    const hex = hash.text.replaceAll(/\s+/g, '').toLowerCase();
    if (algorithm === undefined) {
      warnings.add(`hash ignored: ${type === '' ? 'no type' : `type ${quote(type)} is not known`}`);
      return [];
    }
    if (hex.length !== digestAlgorithms[algorithm].hexLength || !/^[0-9a-f]+$/.test(hex)) {
      warnings.add(`hash ignored: ${quote(hex)} is not a ${algorithm} digest in hex`);
      return [];
    }
    return [{ algorithm, hex }];
  });
}

/** The URL of an entry, normalised; `undefined` with a warning when it is not one. */
export function readUrl(element: Element, counts: EntryCounts, warnings: Warnings): string | undefined {
  counts.urls += 1;
  if (counts.urls > entryLimits.urls) throw tooLarge(`more than ${entryLimits.urls} URLs`);
  if (URL.canParse(element.text)) return new URL(element.text).href;
  // what cannot be parsed cannot be redacted part by part: user information goes with all before it
  const shown = redactUrl(element.text.replace(/^.*@/s, '…@'));
  warnings.add(`url ignored: ${quote(shown)} is not an absolute URL`);
  return undefined;
}

/** Location and a bounded integer attribute, the part of a source that both versions write alike. */
export function readLocation(element: Element): Pick<MetalinkSource, 'location'> {
  const location = element.attributes.get('location')?.trim().toLowerCase();
  return location ? { location: location.slice(0, 100) } : {};
}

export function readInteger(
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

function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);
}
