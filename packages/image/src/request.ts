import { FetchFault } from './errors.ts';
import { makeAddressCheck } from './source/egress.ts';
import type { ImageRequest } from './types.ts';

/** Headers the engine sets itself, or that would change how the answer is framed. */
const reservedHeaders = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'if-range',
  'keep-alive',
  'proxy-connection',
  'range',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** @throws FetchFault `REQUEST_MALFORMED` naming what is wrong, without repeating a secret. */
export function checkRequest(request: ImageRequest): void {
  if (!URL.canParse(request.url)) throw malformed('the URL is not an absolute URL');
  for (const [name, value] of Object.entries(request.headers)) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))
      throw malformed(`${JSON.stringify(name)} is no header name`);
    if (reservedHeaders.has(name.toLowerCase())) throw malformed(`the header ${name} cannot be set`);
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value))
      throw malformed(`the value of the header ${name} has control characters`);
  }
  const { limits } = request;
  if (!(limits.checksumAttempts >= 1)) throw malformed('at least one checksum attempt is needed');
  if (!(limits.stallTimeoutMs > 0 && limits.connectTimeoutMs > 0))
    throw malformed('time-outs must be positive');
  // says which CIDR is wrong before anything is connected to
  makeAddressCheck(request.egress);
}

/** The request's headers are secrets of the origin they were given for: nobody else gets them. */
export function headersFor(url: string, request: ImageRequest): Readonly<Record<string, string>> {
  return URL.canParse(url) && new URL(url).origin === new URL(request.url).origin ? request.headers : {};
}

function malformed(found: string): FetchFault {
  return new FetchFault('REQUEST_MALFORMED', found);
}
