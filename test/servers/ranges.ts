import type { IncomingHttpHeaders } from 'node:http';
import type { ServedFile } from './served-files.ts';

/** What an answer carries of a file: bytes from `start` up to, not including, `end`. */
export interface Part {
  readonly status: 200 | 206;
  readonly start: number;
  readonly end: number;
}

export interface Validators {
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
}

/**
 * Which part of a file a request gets by RFC 9110 §13 and §14; 412 and 416 where it gets none. Several ranges at once are
 * answered with the whole file, as a server may.
 */
export function partFor(
  headers: IncomingHttpHeaders,
  file: ServedFile,
  current: Validators,
): Part | 412 | 416 {
  const { etag, lastModified } = current;
  const ifMatch = headers['if-match'];
  if (ifMatch !== undefined && ifMatch !== '*' && !listed(ifMatch, etag)) return 412;
  if (ifMatch === undefined && isOlder(headers['if-unmodified-since'], lastModified)) return 412;
  const whole: Part = { status: 200, start: 0, end: file.sizeBytes };
  if (headers.range === undefined || !ifRangeHolds(headers['if-range'], current)) return whole;
  const range = parseRange(headers.range, file.sizeBytes);
  if (range === 'ignored') return whole;
  return range === 'unsatisfiable' ? 416 : { status: 206, ...range };
}

/** Strong comparison: a weak validator never matches (RFC 9110 §13.1.5). */
function ifRangeHolds(value: string | string[] | undefined, { etag, lastModified }: Validators): boolean {
  if (value === undefined) return true;
  const given = String(value);
  if (given.startsWith('"')) return given === etag;
  return !given.startsWith('W/') && given === lastModified;
}

function listed(ifMatch: string, etag: string | undefined): boolean {
  const tags = ifMatch.split(',').map((tag) => tag.trim());
  return etag !== undefined && !etag.startsWith('W/') && tags.includes(etag);
}

function isOlder(since: string | undefined, lastModified: string | undefined): boolean {
  return since !== undefined && lastModified !== undefined && Date.parse(since) < Date.parse(lastModified);
}

export function parseRange(
  header: string,
  size: number,
): { readonly start: number; readonly end: number } | 'ignored' | 'unsatisfiable' {
  const match = /^bytes=(\d*)-(\d*)$/i.exec(header.trim());
  const [, first = '', last = ''] = match ?? [];
  if (!match || (first === '' && last === '')) return 'ignored';
  if (first === '') {
    const wanted = Math.min(size, Number(last));
    return wanted === 0 ? 'unsatisfiable' : { start: size - wanted, end: size };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return 'ignored';
  if (start >= size) return 'unsatisfiable';
  return { start, end: last === '' ? size : Math.min(size, Number(last) + 1) };
}
