import type { ImageSourceMessage, ProbedSource } from '@millrace/agent-protocol';
import { invalidParameter } from '@millrace/api';
import { formatChecksum, MillraceError, parseChecksum } from '@millrace/core';
import { isSecretS3Detail, s3AccessFromDetails } from './s3-details.ts';

/** Details of this prefix are request headers for the source. Secret: see responses/template.ts. */
const headerDetailPrefix = 'HTTP_HEADER:';

/** In any case of letters: a secret must not be shown because somebody wrote the prefix in small ones. */
export function isHeaderDetail(name: string): boolean {
  return name.toUpperCase().startsWith(headerDetailPrefix);
}

/** True for a detail that no answer, log or error may show. */
export function isSecretDetail(name: string): boolean {
  return isHeaderDetail(name) || isSecretS3Detail(name);
}

/** What each format is declared as to hosts. An OVA is a tar with one VMDK. Those that pools do not store become qcow2. */
const formats = { QCOW2: 'qcow2', RAW: 'raw', VMDK: 'vmdk', OVA: 'vmdk', VHD: 'vhd', VHDX: 'vhdx' } as const;

export type TemplateFormat = keyof typeof formats;

/** @throws ApiError 431 */
export function templateFormat(text: string): TemplateFormat {
  const format = Object.keys(formats).find((name) => name === text.toUpperCase());
  if (format !== undefined && isTemplateFormat(format)) return format;
  throw invalidParameter('format', `must be one of ${Object.keys(formats).join(', ')} for KVM`);
}

export function isTemplateFormat(text: string): text is TemplateFormat {
  return Object.hasOwn(formats, text);
}

/** The format as hosts call it. */
export function declaredFormatOf(format: TemplateFormat): (typeof formats)[TemplateFormat] {
  return formats[format];
}

/** Detail with the name of the file that is wanted of a metalink with several. */
const wantedFileDetail = 'filename';
/** Details about a list of checksums: its URL, and how the checksum found in it is trusted. */
export const checksumUrlDetail = 'checksumurl';
export const checksumTrustDetail = 'checksumtrust';

interface NamedSource {
  readonly url: string;
  readonly checksum: string | undefined;
}

/**
 * Where hosts fetch an image from, from a template's URL, details and checksum. Holds secrets.
 * @throws ApiError 431 naming the detail
 */
export function imageSourceOf(
  image: NamedSource & { readonly format: TemplateFormat | 'ISO' },
  details: Readonly<Record<string, string>>,
): ImageSourceMessage {
  const format = image.format === 'ISO' ? 'iso' : declaredFormatOf(image.format);
  return { ...probedSourceOf(image, details), format };
}

/** The same of an image whose format nobody has named. @throws ApiError 431 naming the detail */
export function probedSourceOf(
  image: NamedSource,
  details: Readonly<Record<string, string>>,
): Omit<ProbedSource, 'format'> {
  const s3 = s3AccessFromDetails(details);
  if (image.url.startsWith('s3:') && s3 === undefined) {
    throw invalidParameter('details', 'an s3:// URL needs s3.endpoint, s3.accesskey and s3.secretkey');
  }
  const wantedFile = details[wantedFileDetail];
  return {
    url: image.url,
    headers: requestHeaders(details),
    ...(image.checksum === undefined ? {} : { checksum: image.checksum }),
    ...(wantedFile === undefined ? {} : { wantedFile }),
    ...(s3 === undefined ? {} : { s3 }),
  };
}

/** What was given as the checksum: itself, or the URL of a list that has it. @throws ApiError 431 */
export function checksumOrList(
  text: string | undefined,
  details: Readonly<Record<string, string>>,
): { readonly checksum: string | undefined; readonly listUrl: string | undefined } {
  const listed = /^(?:\{URL\})?(https?:\/\/.+)$/i.exec(text?.trim() ?? '')?.[1];
  const detail = details[checksumUrlDetail];
  if (listed === undefined && detail === undefined)
    return { checksum: templateChecksum(text), listUrl: undefined };
  if (text !== undefined && listed === undefined) {
    throw invalidParameter('details', `${checksumUrlDetail} cannot be used together with a checksum`);
  }
  const listUrl = listed ?? detail ?? '';
  if (!/^https?:$/.test(URL.parse(listUrl)?.protocol ?? '')) {
    throw invalidParameter('details', `${checksumUrlDetail} must be an http or https URL`);
  }
  return { checksum: undefined, listUrl };
}

/** @throws ApiError 431 */
export function templateHypervisor(text: string): 'KVM' {
  if (text.toUpperCase() === 'KVM') return 'KVM';
  throw invalidParameter('hypervisor', 'must be KVM');
}

/**
 * The URL of an image or metalink. Whether hosts may go there is the egress policy's business: it judges the resolved
 * address, on the host, on every redirect.
 * @throws ApiError 431
 */
export function templateUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch {
    throw invalidParameter('url', 'must be a URL like https://images.example/debian.qcow2');
  }
  if (!['http:', 'https:', 'nfs:', 's3:'].includes(url.protocol)) {
    throw invalidParameter(
      'url',
      `must start with http://, https://, nfs:// or s3://, not ${url.protocol}//`,
    );
  }
  if (url.hostname === '') throw invalidParameter('url', 'must name a host');
  // a fragment is never sent to the source: keeping it would only mislead
  url.hash = '';
  return url.href;
}

/** The checksum in its canonical spelling. @throws ApiError 431 */
export function templateChecksum(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    return formatChecksum(parseChecksum(text));
  } catch (error) {
    if (error instanceof MillraceError) throw invalidParameter('checksum', error.message);
    throw error;
  }
}

const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
/** Headers that say how the transfer works belong to the engine. */
const reservedHeaders = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'if-match',
  'if-range',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'range',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const mostDetails = 50;
const longestValue = 8192;

/**
 * Splits a template's details into request headers and the rest.
 * @throws ApiError 431 for what is no header that may be sent.
 */
export function requestHeaders(details: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(details);
  if (entries.length > mostDetails) throw invalidParameter('details', `takes at most ${mostDetails} entries`);
  const headers: Record<string, string> = {};
  for (const [name, value] of entries) {
    if (name.length > 255 || value.length > longestValue) {
      throw invalidParameter('details', `${name.slice(0, 80)} is longer than allowed`);
    }
    if (!isHeaderDetail(name)) continue;
    const header = name.slice(headerDetailPrefix.length).trim();
    if (!headerName.test(header)) throw invalidParameter('details', `${name} names no HTTP header`);
    if (reservedHeaders.has(header.toLowerCase())) {
      throw invalidParameter('details', `the header ${header} is set by the transfer itself`);
    }
    // a line break would let the value add headers of its own
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
      throw invalidParameter(
        'details',
        `the value of the header ${header} has characters that cannot be sent`,
      );
    }
    headers[header] = value;
  }
  return headers;
}

/** @throws ApiError 431 */
export function wordSize(bits: number | undefined): number {
  if (bits === undefined) return 64;
  if (bits === 32 || bits === 64) return bits;
  throw invalidParameter('bits', 'must be 32 or 64');
}

/** @throws ApiError 431 */
export function cpuArchitecture(text: string | undefined): string {
  if (text === undefined || text.toLowerCase() === 'x86_64') return 'x86_64';
  throw invalidParameter('arch', 'must be x86_64 in this release');
}

/** Names are shown in tables, logs and file names of exports. @throws ApiError 431 */
export function displayableName(param: string, text: string): string {
  const name = text.trim();
  if (name === '') throw invalidParameter(param, 'must not be blank');
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(name)) {
    throw invalidParameter(param, 'must not contain control characters or line breaks');
  }
  return name;
}
