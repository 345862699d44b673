import { createHmac, timingSafeEqual } from 'node:crypto';
import { ApiError, type WireParams, wireValue } from '@millrace/api';

/**
 * The strings a client may have signed. CloudStack's rule (sort by name, encode values, join, lower-case everything) is
 * read in several ways by the clients in use, and all of them must get in:
 * names sorted as sent or in lower case (Marvin); `*` literal or `%2A` (older Marvin); `~` literal or `%7E` (Java).
 */
export function* signedStrings(params: WireParams): Generator<string> {
  const signed = params.filter(([name]) => name.toLowerCase() !== 'signature');
  // one at a time: a stranger's call may be large, and each string is three times as large
  let previous: string | undefined;
  for (const key of [(name: string) => name, (name: string) => name.toLowerCase()]) {
    const order = [...signed].sort(([a], [b]) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
    const plain = order
      .map(([name, value]) => `${name}=${encodeValue(value)}`)
      .join('&')
      .toLowerCase();
    if (plain === previous) return;
    previous = plain;
    const [star, tilde] = [plain.includes('*'), plain.includes('~')];
    yield plain;
    if (star) yield plain.replaceAll('*', '%2a');
    if (tilde) yield plain.replaceAll('~', '%7e');
    if (star && tilde) yield plain.replaceAll('*', '%2a').replaceAll('~', '%7e');
  }
}

/** Java's URLEncoder with `%20` for a space and `~` left alone. */
function encodeValue(value: string): string {
  return encodeURIComponent(value).replaceAll(
    /[!'()]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The signature (Base64) of one of `signedStrings`. */
export function sign(text: string, secretKey: string): string {
  return createHmac('sha1', secretKey).update(text, 'utf8').digest('base64');
}

/** Whether the call was signed with this key. Takes the same time whatever is wrong. */
export function isSignedWith(params: WireParams, secretKey: string): boolean {
  // a client that forgot to encode its signature sends + as a space
  const given = Buffer.from((wireValue(params, 'signature') ?? '').replaceAll(' ', '+'), 'base64');
  let matches = false;
  for (const text of signedStrings(params)) {
    const expected = createHmac('sha1', secretKey).update(text, 'utf8').digest();
    if (given.length === expected.length && timingSafeEqual(given, expected)) matches = true;
  }
  return matches;
}

/**
 * Signature version 3 carries the time it ends.
 * @throws ApiError 401 when that is past, missing or unreadable.
 */
export function checkExpiry(params: WireParams, now: Date): void {
  if (wireValue(params, 'signatureversion') !== '3') return;
  const expires = parseExpiry(wireValue(params, 'expires'));
  if (expires === undefined) {
    throw new ApiError(
      'UNAUTHORIZED',
      'unable to verify user credentials: signature version 3 needs the parameter expires as 2030-01-31T12:00:00+0000',
    );
  }
  if (expires.getTime() < now.getTime()) {
    throw new ApiError(
      'UNAUTHORIZED',
      'unable to verify user credentials: the request has expired; check the clock of the client',
    );
  }
}

/** Accepts `+0000`, `+00:00` and `Z`; a `+` that arrived as a space too. */
function parseExpiry(text: string | undefined): Date | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+ -]\d\d:?\d\d)$/i.exec(text ?? '');
  if (!match) return undefined;
  const [, time, zone] = match;
  const offset =
    zone!.toUpperCase() === 'Z'
      ? 'Z'
      : `${zone![0] === '-' ? '-' : '+'}${zone!.slice(1, 3)}:${zone!.slice(-2)}`;
  const date = new Date(`${time}${offset}`);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
