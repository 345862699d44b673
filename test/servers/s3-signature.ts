import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/**
 * Checks requests that are signed in their query, from Amazon's description of Signature Version 4 and with nothing of
 * what the engine signs with, so that one's mistakes are not the other's.
 */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly region: string;
}

/** What S3 calls the reason in its answer; `undefined` when the request is granted. */
export type SignatureRefusal =
  | 'AccessDenied'
  | 'AuthorizationQueryParametersError'
  | 'InvalidAccessKeyId'
  | 'InvalidToken'
  | 'SignatureDoesNotMatch';

export interface SignedRequest {
  readonly method: string;
  /** As on the request line: path and query. */
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
}

const toleratedSkewMs = 15 * 60_000;

export function signatureRefusal(
  request: SignedRequest,
  credentials: S3Credentials,
  now: number,
): SignatureRefusal | undefined {
  const [path = '', query = ''] = request.target.split(/\?(.*)/s);
  const parameters = query
    .split('&')
    .filter((text) => text !== '')
    .map((text) => {
      const [name = '', value = ''] = text.split(/=(.*)/s);
      return [decode(name), decode(value)] as const;
    });
  const given = new Map(parameters);
  const signature = given.get('X-Amz-Signature');
  if (signature === undefined) return 'AccessDenied';
  if (given.get('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256' || given.size !== parameters.length) {
    return 'AuthorizationQueryParametersError';
  }
  const [accessKeyId, day, region, service, end] = (given.get('X-Amz-Credential') ?? '').split('/');
  if (accessKeyId !== credentials.accessKeyId) return 'InvalidAccessKeyId';
  if (given.get('X-Amz-Security-Token') !== credentials.sessionToken) return 'InvalidToken';
  const date = given.get('X-Amz-Date') ?? '';
  const scopeFits =
    region === credentials.region && service === 's3' && end === 'aws4_request' && date.slice(0, 8) === day;
  const seconds = Number(given.get('X-Amz-Expires'));
  if (!scopeFits || !(seconds >= 1 && seconds <= 604_800)) return 'AuthorizationQueryParametersError';
  const begun = millisecondsOf(date);
  if (!(now >= begun - toleratedSkewMs && now <= begun + seconds * 1000)) return 'AccessDenied';

  const signedHeaders = (given.get('X-Amz-SignedHeaders') ?? '').split(';');
  if (!signedHeaders.includes('host')) return 'AuthorizationQueryParametersError';
  const canonicalRequest = [
    request.method,
    path.split('/').map(decode).map(encode).join('/'),
    parameters
      .filter(([name]) => name !== 'X-Amz-Signature')
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .sort()
      .join('&'),
    ...signedHeaders.map((name) => `${name}:${String(request.headers[name] ?? '').trim()}`),
    '',
    signedHeaders.join(';'),
    'UNSIGNED-PAYLOAD',
  ].join('\n');
  const stringToSign = [
    'AWS4-HMAC-SHA256',
    date,
    `${day}/${region}/s3/aws4_request`,
    createHash('sha256').update(canonicalRequest).digest('hex'),
  ].join('\n');
  const key = [day!, region!, 's3', 'aws4_request'].reduce<string | Buffer>(
    hmac,
    `AWS4${credentials.secretAccessKey}`,
  );
  const expected = Buffer.from(hmac(key, stringToSign).toString('hex'));
  const actual = Buffer.from(signature);
  const matches = actual.length === expected.length && timingSafeEqual(actual, expected);
  return matches ? undefined : 'SignatureDoesNotMatch';
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** `20130524T000000Z` */
function millisecondsOf(date: string): number {
  return Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

function decode(text: string): string {
  return decodeURIComponent(text.replaceAll('+', '%20'));
}

/** Amazon's UriEncode: every byte but A–Z, a–z, 0–9, “-”, “.”, “_” and “~”. */
function encode(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9._~-]/.test(character)
        ? character
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}
