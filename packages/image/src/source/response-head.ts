import type { IncomingHttpHeaders } from 'node:http';
import { FetchFault } from '../errors.ts';

export interface ResponseHead {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** How many bytes the head takes. */
  readonly length: number;
  /** False when the server is going to close the connection after this answer (RFC 9112 §9.3). */
  readonly keepsAlive: boolean;
}

const mostHeaders = 100;

/**
 * Reads the head of an HTTP/1 response (RFC 9112 §4, §5) that begins at the first byte. `undefined` when its end is not
 * there yet. Only what a plain range answer consists of is accepted; for everything else undici is asked instead.
 * @throws FetchFault `HTTP_UNEXPECTED`
 */
export function readResponseHead(bytes: Buffer): ResponseHead | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) {
    if (bytes.length >= 8 && !bytes.subarray(0, 7).equals(http1)) throw unexpected('the answer is not HTTP');
    return undefined;
  }
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const match = /^HTTP\/1\.([01]) (\d{3})( |$)/.exec(statusLine);
  if (!match) throw unexpected('the answer is not HTTP');
  if (lines.length > mostHeaders) throw unexpected(`more than ${mostHeaders} headers`);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    // a folded line, or a space before the colon, is how one server's header becomes another one's (RFC 9112 §5.1)
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(line.slice(0, Math.max(0, colon)))) {
      throw unexpected('a malformed header');
    }
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (single.has(name) && headers[name] !== undefined && headers[name] !== value) {
      throw unexpected(`${name} is given twice`);
    }
    headers[name] ??= value;
  }
  const connection = (headers['connection'] ?? '').toLowerCase();
  return {
    status: Number(match[2]),
    headers,
    length: end + 4,
    keepsAlive: match[1] === '1' ? !/\bclose\b/.test(connection) : /\bkeep-alive\b/.test(connection),
  };
}

const http1 = Buffer.from('HTTP/1.');
/** Headers that frame the answer or say which bytes it has: two of them that differ are two answers in one. */
const single = new Set(['content-length', 'content-range', 'transfer-encoding', 'content-encoding', 'etag']);

function unexpected(found: string): FetchFault {
  return new FetchFault('HTTP_UNEXPECTED', found);
}
