import { headersFor } from '../request.ts';
import type { ImageRequest } from '../types.ts';
import { type HttpClient, makeHttpClient, type OpenedSource, type OpenOptions } from './http-source.ts';
import { openNfs } from './nfs-source.ts';
import { presignS3 } from './s3.ts';

/** Opens the sources of one request, whatever their scheme. */
export interface SourceClient extends AsyncDisposable {
  /** @throws FetchFault of the source; the signal's reason when aborted */
  open(url: string, options: Omit<OpenOptions, 'headers'>): Promise<OpenedSource>;
  readonly connect: HttpClient['connect'];
}

/** So long a signed URL is good for: longer than any transfer that still moves, and it is renewed when it has expired. */
const signedForSeconds = 6 * 3600;

export function makeSourceClient(request: ImageRequest): SourceClient {
  const { egress, limits, extraCa, s3 } = request;
  const http = makeHttpClient({ egress, ...limits, ...(extraCa ? { extraCa } : {}) });
  return {
    async open(url, options) {
      switch (URL.parse(url)?.protocol) {
        case 'nfs:': {
          const { connectTimeoutMs, stallTimeoutMs } = limits;
          return await openNfs(url, { egress, connectTimeoutMs, stallTimeoutMs, signal: options.signal });
        }
        case 's3:': {
          const now = Date.now();
          const signed = await presignS3(url, s3, { now, expiresSeconds: signedForSeconds });
          return await http.open(signed, { ...options, headers: {} });
        }
        default:
          return await http.open(url, { ...options, headers: headersFor(url, request) });
      }
    },
    connect: http.connect,
    [Symbol.asyncDispose]: () => http[Symbol.asyncDispose](),
  };
}
