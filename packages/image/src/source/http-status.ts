import type { IncomingHttpHeaders } from 'node:http';
import { FetchFault } from '../errors.ts';
import { parseRetryAfter } from './retry-after.ts';

/** The fault that a status other than 200 and 206 stands for. 416 and 412 mean different things in different places. */
export function faultOfStatus(status: number, headers: IncomingHttpHeaders): FetchFault {
  const answered = `answered ${status}`;
  if (status === 404 || status === 410) return new FetchFault('HTTP_NOT_FOUND', answered);
  if ([401, 403, 407].includes(status)) return new FetchFault('HTTP_DENIED', answered);
  if ([408, 425, 429, 503].includes(status)) {
    const retryAfterMs = parseRetryAfter(single(headers['retry-after']), Date.now());
    return new FetchFault('HTTP_BUSY', answered, retryAfterMs === undefined ? {} : { retryAfterMs });
  }
  if (status >= 500) return new FetchFault('HTTP_SERVER_ERROR', answered);
  if (status >= 400) return new FetchFault('HTTP_REJECTED', answered);
  return new FetchFault('HTTP_UNEXPECTED', answered);
}

/** @throws FetchFault `CONTENT_ENCODING`: the digest is that of the file as published. */
export function checkEncoding(headers: IncomingHttpHeaders): void {
  const encoding = single(headers['content-encoding'])?.trim().toLowerCase();
  if (encoding !== undefined && encoding !== '' && encoding !== 'identity') {
    throw new FetchFault('CONTENT_ENCODING', encoding.slice(0, 40));
  }
}

/** @throws FetchFault `RANGES_UNSUPPORTED` when the headers of a part contradict its length. */
export function checkPart(headers: IncomingHttpHeaders, bytes: number): void {
  const encoding = single(headers['content-encoding'])?.trim().toLowerCase() ?? '';
  if (encoding !== '' && encoding !== 'identity') {
    throw new FetchFault('RANGES_UNSUPPORTED', `parts are encoded: ${encoding.slice(0, 40)}`);
  }
  const length = single(headers['content-length']);
  if (length !== undefined && length !== String(bytes)) {
    throw new FetchFault('RANGES_UNSUPPORTED', 'the length of a part contradicts its range');
  }
}

export function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
