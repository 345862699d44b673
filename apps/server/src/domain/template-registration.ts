import { invalidParameter } from '@millrace/api';
import { formatChecksum, MillraceError, parseChecksum } from '@millrace/core';

/** Details of this prefix are request headers for the source. Secret: see responses/template.ts. */
const headerDetailPrefix = 'HTTP_HEADER:';

/** In any case of letters: a secret must not be shown because somebody wrote the prefix in small ones. */
export function isHeaderDetail(name: string): boolean {
  return name.toUpperCase().startsWith(headerDetailPrefix);
}

const formats = { QCOW2: 'qcow2', RAW: 'raw' } as const;

export type TemplateFormat = keyof typeof formats;

/** @throws ApiError 431 */
export function templateFormat(text: string): TemplateFormat {
  const format = text.toUpperCase();
  if (format === 'QCOW2' || format === 'RAW') return format;
  throw invalidParameter('format', `must be ${Object.keys(formats).join(' or ')} for KVM`);
}

/** The format as hosts call it. */
export function imageFormatOf(format: TemplateFormat): 'qcow2' | 'raw' {
  return formats[format];
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
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalidParameter('url', `must start with http:// or https://, not ${url.protocol}//`);
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
