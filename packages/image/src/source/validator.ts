import type { IncomingHttpHeaders } from 'node:http';

/** A Last-Modified date is a strong validator only when the file could not have changed twice within its second. */
const settledAfterMs = 60_000;

/**
 * The strong validator of an answer, as `If-Range` takes it (RFC 9110 §13.1.5): a strong entity tag, else a
 * Last-Modified date that the answer's own Date shows to be old enough (§8.8.2.2). `undefined` when there is none: then
 * nothing tells whether two answers are about the same bytes.
 */
export function strongValidator(headers: IncomingHttpHeaders): string | undefined {
  const tag = headers.etag?.trim();
  if (tag !== undefined && /^"[\x21\x23-\x7e\x80-\xff]*"$/.test(tag)) return tag;
  const modified = headers['last-modified']?.trim();
  if (modified === undefined || modified.length > 40) return undefined;
  const age = Date.parse(headers.date ?? '') - Date.parse(modified);
  return age >= settledAfterMs ? modified : undefined;
}

/** True when an answer's headers say that it is about other bytes than those the validator stands for. */
export function contradicts(headers: IncomingHttpHeaders, validator: string | undefined): boolean {
  if (validator === undefined) return false;
  const told = validator.startsWith('"') ? headers.etag : headers['last-modified'];
  return told !== undefined && told.trim() !== validator;
}

/** True when an answer's headers say that it is about the bytes the validator stands for. */
export function confirms(headers: IncomingHttpHeaders, validator: string): boolean {
  return (validator.startsWith('"') ? headers.etag : headers['last-modified'])?.trim() === validator;
}

/** A `Content-Range` of bytes (RFC 9110 §14.4). `total` is absent when the server does not know it. */
export interface ContentRange {
  readonly first: number;
  readonly last: number;
  readonly total: number | undefined;
}

export function parseContentRange(text: string | undefined): ContentRange | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(text?.trim() ?? '');
  if (!match) return undefined;
  const range = {
    first: Number(match[1]),
    last: Number(match[2]),
    total: match[3] === '*' ? undefined : Number(match[3]),
  };
  const sound = range.first <= range.last && (range.total === undefined || range.last < range.total);
  return sound ? range : undefined;
}
