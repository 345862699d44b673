import { type Digest, type Logger, MillraceError, redactUrl } from '@millrace/core';
import { checksumListLimits, chooseChecksum, parseChecksumList } from '@millrace/metalink';
import { FetchFault } from './errors.ts';
import { type HttpClient, makeHttpClient } from './source/http-source.ts';
import { peekBody, readWithin } from './source/peek.ts';
import type { FetchLimits, ImageRequest } from './types.ts';
import { describeSigner } from './verify/signature-keys.ts';
import { isClearSigned, looksLikeSignature, verifySignedChecksums } from './verify/signed-checksums.ts';

export interface ChecksumRequest extends Pick<ImageRequest, 'url' | 'headers' | 'egress' | 'extraCa'> {
  /** The http or https URL of a list such as SHA256SUMS, or of a file with one checksum. */
  readonly checksumUrl: string;
  /** The file wanted of a metalink with several; without it the name at the end of `url`, which is the image's or its metalink's. */
  readonly wantedFile?: string | undefined;
  readonly limits: Pick<FetchLimits, 'connectTimeoutMs' | 'stallTimeoutMs' | 'maxRedirects'>;
  /** Armoured OpenPGP public keys: when there are any, the list must carry a signature that one of them verifies. */
  readonly signatureKeys?: readonly string[] | undefined;
}

export interface FoundChecksum {
  readonly digest: Digest;
  /** One sentence without its full stop: why the digest may be believed, or how little it says. */
  readonly trust: string;
  readonly warnings: readonly string[];
}

interface Fetched {
  readonly bytes: Buffer;
  readonly finalUrl: string;
  readonly warnings: readonly string[];
}

/** What publishers append to the name of a list for its detached signature, most frequent first. */
const signatureSuffixes = ['.asc', '.sig', '.gpg', '.sign'] as const;
/** Answers that say that there is no such file; S3 gives 403 for files that are not there. */
const absent = new Set(['HTTP_NOT_FOUND', 'HTTP_DENIED', 'HTTP_REJECTED']);

/**
 * Fetches a list of checksums, verifies it where keys are given, and finds the image's entry.
 * @throws FetchFault `CHECKSUM_LIST_UNUSABLE` with the reason, `SIGNATURE_MISSING`, `SIGNATURE_INVALID`, `REQUEST_MALFORMED`; the
 *   signal's reason when aborted.
 */
export async function findChecksum(
  request: ChecksumRequest,
  { signal, log }: { readonly signal: AbortSignal; readonly log: Logger },
): Promise<FoundChecksum> {
  signal.throwIfAborted();
  if (!URL.canParse(request.url)) throw new FetchFault('REQUEST_MALFORMED', 'the URL is not an absolute URL');
  if (!URL.canParse(request.checksumUrl)) {
    throw new FetchFault('REQUEST_MALFORMED', 'the URL of the checksum list is not an absolute URL');
  }
  const { egress, extraCa, limits } = request;
  await using client = makeHttpClient({ egress, ...limits, ...(extraCa ? { extraCa } : {}) });
  const shownUrl = redactUrl(request.checksumUrl);
  const list = await explained({ shownUrl, signal }, () =>
    fetchWhole(client, request, { url: request.checksumUrl, signal }),
  );
  const keys = request.signatureKeys ?? [];
  const signed =
    keys.length === 0
      ? undefined
      : await verifySignedChecksums(list.bytes, await signatureOf(client, request, { list, signal }), keys);
  return await explained({ shownUrl, signal }, () => {
    const parsed = parseChecksumList(signed?.text ?? list.bytes);
    const { digest, warnings } = chooseChecksum(parsed, request.wantedFile ?? imageName(request.url));
    const trust = signed
      ? `the list of checksums ${shownUrl} is signed by ${describeSigner(signed.signedBy)}`
      : trustOfTransport(request, list.finalUrl);
    log.debug({ checksumUrl: shownUrl, digest, trust }, 'found the checksum of an image');
    return { digest, trust, warnings: [...list.warnings, ...warnings] };
  });
}

async function fetchWhole(
  client: HttpClient,
  request: ChecksumRequest,
  { url, signal }: { readonly url: string; readonly signal: AbortSignal },
): Promise<Fetched> {
  // the headers are secrets of the origin that the image comes from
  const headers = new URL(url).origin === new URL(request.url).origin ? request.headers : {};
  const opened = await client.open(url, { headers, signal });
  try {
    const bytes = await readWithin(await peekBody(opened.body, 1), checksumListLimits.bytes);
    if (bytes === undefined) {
      const found = `${redactUrl(url)}: it has more than ${checksumListLimits.bytes} bytes`;
      throw new FetchFault('CHECKSUM_LIST_UNUSABLE', found);
    }
    return { bytes, finalUrl: opened.finalUrl, warnings: opened.warnings };
  } finally {
    opened.close();
  }
}

/** The detached signature beside a list that has none inside. `undefined` when there is none under any usual name. */
async function signatureOf(
  client: HttpClient,
  request: ChecksumRequest,
  { list, signal }: { readonly list: Fetched; readonly signal: AbortSignal },
): Promise<Buffer | undefined> {
  if (isClearSigned(list.bytes)) return undefined;
  for (const suffix of signatureSuffixes) {
    const url = new URL(request.checksumUrl);
    url.pathname += suffix;
    try {
      const { bytes } = await explained({ shownUrl: redactUrl(url.href), signal }, () =>
        fetchWhole(client, request, { url: url.href, signal }),
      );
      if (looksLikeSignature(bytes)) return bytes;
    } catch (error) {
      const cause = error instanceof FetchFault ? error.cause : undefined;
      if (!(cause instanceof FetchFault && absent.has(cause.code))) throw error;
    }
  }
  return undefined;
}

const keptCodes = new Set(['CANCELLED', 'REQUEST_MALFORMED', 'CHECKSUM_LIST_UNUSABLE']);

/** Makes whatever is wrong with a list a fault that says which list, and keeps what must be told apart. */
async function explained<T>(
  { shownUrl, signal }: { readonly shownUrl: string; readonly signal: AbortSignal },
  work: () => T | Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    signal.throwIfAborted();
    if (!(cause instanceof MillraceError) || keptCodes.has(cause.code)) throw cause;
    throw new FetchFault('CHECKSUM_LIST_UNUSABLE', `${shownUrl}: ${cause.message}`, { cause });
  }
}

function trustOfTransport(request: ChecksumRequest, finalUrl: string): string {
  const asked = new URL(request.checksumUrl);
  const final = new URL(finalUrl);
  if (asked.protocol !== 'https:' || final.protocol !== 'https:') {
    return `the list of checksums came over plain http from ${final.host}: it shows damage, but whoever can change the image on its way can change the list too`;
  }
  const image = new URL(request.url);
  const same = image.hostname === final.hostname;
  return `the list of checksums came over https from ${final.host}, ${
    same
      ? 'which serves the image too: it guards against damage and bad mirrors, not against that server'
      : 'which vouches for it'
  }`;
}

/** The list is about the image: `debian.qcow2` also where the URL is that of `debian.qcow2.metalink`. */
function imageName(url: string): string {
  const last = new URL(url).pathname.split('/').at(-1) ?? '';
  const name = last.replace(/\.(metalink|meta4)$/i, '');
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
