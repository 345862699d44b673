import { invalidParameter } from '@millrace/api';

/** Details of a template or ISO that say how its `s3://bucket/key` URLs are reached. Names match in any case of letters. */
export const s3DetailNames = {
  endpoint: 's3.endpoint',
  region: 's3.region',
  accessKeyId: 's3.accesskey',
  secretAccessKey: 's3.secretkey',
  sessionToken: 's3.sessiontoken',
} as const;

export interface S3Details {
  /** `https://host[:port]` */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** What servers that have no regions expect to be signed for. */
const defaultRegion = 'us-east-1';

const secretNames: ReadonlySet<string> = new Set([
  s3DetailNames.accessKeyId,
  s3DetailNames.secretAccessKey,
  s3DetailNames.sessionToken,
]);

/** True for a detail that no answer, log or error may show. */
export function isSecretS3Detail(name: string): boolean {
  return secretNames.has(name.trim().toLowerCase());
}

/**
 * How S3 is reached, from the details of a template or ISO. `undefined` when none of them is about S3.
 * @throws ApiError 431 naming the detail that is missing or wrong, never its value
 */
export function s3AccessFromDetails(details: Readonly<Record<string, string>>): S3Details | undefined {
  const known: ReadonlySet<string> = new Set(Object.values(s3DetailNames));
  const given = new Map<string, string>();
  for (const [name, value] of Object.entries(details)) {
    const plain = name.trim().toLowerCase();
    if (!plain.startsWith('s3.')) continue;
    if (!known.has(plain)) {
      throw invalidParameter('details', `${plain.slice(0, 80)} is not one of ${[...known].join(', ')}`);
    }
    if (given.has(plain)) throw invalidParameter('details', `${plain} is given twice`);
    given.set(plain, value.trim());
  }
  if (given.size === 0) return undefined;
  const sessionToken = given.has(s3DetailNames.sessionToken)
    ? printable(given, s3DetailNames.sessionToken, /^[\x21-\x7e]{1,4096}$/)
    : undefined;
  return {
    endpoint: endpointOf(given),
    region: given.has(s3DetailNames.region)
      ? printable(given, s3DetailNames.region, /^[A-Za-z0-9-]{1,64}$/)
      : defaultRegion,
    accessKeyId: printable(given, s3DetailNames.accessKeyId, /^[\x21-\x2e\x30-\x7e]{1,128}$/),
    secretAccessKey: printable(given, s3DetailNames.secretAccessKey, /^[\x21-\x7e]{1,256}$/),
    ...(sessionToken === undefined ? {} : { sessionToken }),
  };
}

function printable(given: ReadonlyMap<string, string>, name: string, pattern: RegExp): string {
  const value = given.get(name);
  if (!value) throw invalidParameter('details', `${name} is missing`);
  if (!pattern.test(value))
    throw invalidParameter('details', `${name} has characters it cannot have, or is too long`);
  return value;
}

function endpointOf(given: ReadonlyMap<string, string>): string {
  const text = given.get(s3DetailNames.endpoint);
  if (!text) throw invalidParameter('details', `${s3DetailNames.endpoint} is missing`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isOrigin =
    url !== undefined &&
    (url.protocol === 'https:' || url.protocol === 'http:') &&
    url.pathname === '/' &&
    url.username + url.password + url.search + url.hash === '';
  if (!isOrigin) {
    throw invalidParameter('details', `${s3DetailNames.endpoint} must be like https://host[:port]`);
  }
  return url.origin;
}
