import { AwsV4Signer } from 'aws4fetch';
import { FetchFault } from '../errors.ts';
import type { S3Access } from '../types.ts';

export interface PresignOptions {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** How long requests may begin; one that has begun is not cut off. */
  readonly expiresSeconds: number;
}

/** What Amazon allows at most. */
const longestExpirySeconds = 7 * 24 * 3600;

/**
 * An http(s) URL that reads `s3://bucket/key` with a GET, range or not, for a while and with nothing else: its query
 * carries the signature (AWS Signature Version 4, query parameters). It is a secret until it expires; redactUrl drops it.
 * The key is percent-encoded in the s3 URL, and requests are path-style (`endpoint/bucket/key`), which works without
 * names and certificates per bucket. The endpoint is like any other host for the egress policy.
 * @throws FetchFault `S3_ACCESS_MISSING`, `SOURCE_URL_INVALID`, `REQUEST_MALFORMED` for an endpoint that is none.
 */
export async function presignS3(
  url: string,
  access: S3Access | undefined,
  options: PresignOptions,
): Promise<string> {
  const { bucket, key } = parseS3Url(url);
  if (access === undefined || access.accessKeyId === '' || access.secretAccessKey === '') {
    throw new FetchFault('S3_ACCESS_MISSING', '');
  }
  return presignObject(`${originOf(access.endpoint)}/${bucket}/${encodeKey(key)}`, access, options);
}

/** Signs the URL of an object as it is going to be requested. */
export async function presignObject(
  objectUrl: string,
  access: S3Access,
  { now, expiresSeconds }: PresignOptions,
): Promise<string> {
  const seconds = Math.min(Math.max(1, Math.floor(expiresSeconds)), longestExpirySeconds);
  const url = new URL(objectUrl);
  url.searchParams.set('X-Amz-Expires', String(seconds));
  const signer = new AwsV4Signer({
    method: 'GET',
    url: url.href,
    accessKeyId: access.accessKeyId,
    secretAccessKey: access.secretAccessKey,
    ...(access.sessionToken === undefined ? {} : { sessionToken: access.sessionToken }),
    service: 's3',
    region: access.region,
    datetime: new Date(now).toISOString().replace(/[:-]|\.\d{3}/g, ''),
    signQuery: true,
  });
  return (await signer.sign()).url.href;
}

/** Decoded. Read by hand: URL would resolve `..`, which is no directory in a key. */
function parseS3Url(url: string): { readonly bucket: string; readonly key: string } {
  const match = /^s3:\/\/([^/?#]*)\/([^?#]*)$/i.exec(url);
  const bucket = match?.[1] ?? '';
  if (!match) throw invalid('it must be like s3://bucket/key, with “?” and “#” percent-encoded');
  if (!/^[a-z0-9][a-z0-9._-]{1,62}$/i.test(bucket)) throw invalid('it names no bucket');
  let key: string;
  try {
    key = decodeURIComponent(match[2]!);
  } catch {
    throw invalid('its key is not percent-encoded UTF-8 (write “%” as %25)');
  }
  if (key === '' || key.endsWith('/')) throw invalid('it names no object');
  if (Buffer.byteLength(key) > 1024) throw invalid('its key is longer than 1024 bytes');
  // whatever carries the request would resolve them, and another object than the one signed for be asked for
  if (key.split('/').some((part) => part === '.' || part === '..')) {
    throw invalid('its key has “.” or “..” between slashes, which no HTTP client can ask for');
  }
  return { bucket, key };
}

/** RFC 3986, as the signature wants it: everything but unreserved characters and slashes. */
function encodeKey(key: string): string {
  return key
    .split('/')
    .map((part) =>
      encodeURIComponent(part).replace(
        /[!'()*]/g,
        (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
      ),
    )
    .join('/');
}

function originOf(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const isOrigin =
    url !== undefined &&
    (url.protocol === 'https:' || url.protocol === 'http:') &&
    url.pathname === '/' &&
    url.username + url.password + url.search + url.hash === '';
  // not repeated: whoever mistakes the fields may have put a key there
  if (!isOrigin) throw new FetchFault('REQUEST_MALFORMED', 's3.endpoint must be like https://host[:port]');
  return url.origin;
}

function invalid(found: string): FetchFault {
  return new FetchFault('SOURCE_URL_INVALID', found);
}
