import { digestAlgorithmOf } from '@millrace/core';
import type { Element } from './element-tree.ts';
import { childrenNamed, quote, readHex } from './entries.ts';
import type { PieceDigests } from './types.ts';
import type { Warnings } from './warnings.ts';

/**
 * Every `<pieces>` that is whole. A list with a single bad or missing digest is dropped: pieces that cannot all be checked
 * say nothing about the file.
 */
export function readPieces(elements: readonly Element[], warnings: Warnings): PieceDigests[] {
  return elements.flatMap((element) => {
    const read = readPieceList(element);
    if (typeof read !== 'string') return [read];
    warnings.add(`pieces ignored: ${read}`);
    return [];
  });
}

/** The list, or what is wrong with it. */
function readPieceList(element: Element): PieceDigests | string {
  const type = element.attributes.get('type') ?? '';
  const algorithm = digestAlgorithmOf(type);
  if (algorithm === undefined) return `type ${quote(type)} is not known`;
  const lengthText = element.attributes.get('length')?.trim() ?? '';
  const lengthBytes = /^\d{1,16}$/.test(lengthText) ? Number(lengthText) : 0;
  if (!Number.isSafeInteger(lengthBytes) || lengthBytes < 1) {
    return `length ${quote(lengthText)} is not a number of bytes`;
  }
  const hashes = childrenNamed(element, 'hash');
  if (hashes.length === 0) return 'no hash in it';
  const hexDigests: string[] = [];
  for (const [index, hash] of inPieceOrder(hashes).entries()) {
    const hex = hash && readHex(hash, algorithm);
    if (hash === undefined) return `piece ${index} is missing, or another one is given twice`;
    if (hex === undefined) return `${quote(hash.text)} of piece ${index} is not a ${algorithm} digest in hex`;
    hexDigests.push(hex);
  }
  return { algorithm, lengthBytes, hexDigests };
}

/** Version 3 numbers the pieces from 0 on and may list them in any order; version 4 lists them as they are in the file. */
function inPieceOrder(hashes: readonly Element[]): readonly (Element | undefined)[] {
  if (!hashes.some((hash) => hash.attributes.has('piece'))) return hashes;
  const ordered = new Array<Element | undefined>(hashes.length).fill(undefined);
  for (const hash of hashes) {
    const number = hash.attributes.get('piece')?.trim() ?? '';
    // as many places as hashes: a number out of range or given twice leaves a place empty, which the caller reports
    if (/^\d{1,6}$/.test(number) && Number(number) < ordered.length) ordered[Number(number)] = hash;
  }
  return ordered;
}
