import { type Digest, digestAlgorithmOf, digestAlgorithms, isForgeable, redactUrl } from '@millrace/core';
import { quote } from './entries.ts';
import { type Link, readLinks } from './link-header.ts';
import type { MetalinkDocument, MetalinkSource } from './types.ts';
import { makeWarnings, type Warnings } from './warnings.ts';

/** What the answer to a request says about other places that have the same file. */
export interface MirrorHeaders {
  /** As listed, without the URL that answered. */
  readonly sources: readonly LinkedSource[];
  /** Of the whole file, at most one for each algorithm. They are worth what the connection is worth that they came over. */
  readonly digests: readonly Digest[];
  /** URLs of metalinks that describe the file. */
  readonly describedBy: readonly string[];
  /** URLs of detached OpenPGP signatures of the file. */
  readonly signatures: readonly string[];
  /** Bounded; URLs in it are redacted. */
  readonly warnings: readonly string[];
}

export interface LinkedSource extends MetalinkSource {
  /** How many parts of the path, from its end, are the same on the mirror: siblings of the file are there as well. */
  readonly depth?: number;
}

/** As Node's http and undici give them: names in lower case, repeated ones as a list or joined by commas. */
export type ResponseHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

const limits = { linkCharacters: 64 * 1024, digestCharacters: 4096 } as const;
const metalinkTypes = new Set(['application/metalink4+xml', 'application/metalink+xml']);

/**
 * Reads `Link`, `Digest` (RFC 3230) and `Repr-Digest` (RFC 9530) of an answer from `url`, as RFC 6249 combines them: links
 * count only beside a digest of SHA-256 or better, without which nobody could tell whether a mirror has the same file.
 * `digestKnown`: the caller has such a digest already. Never throws; what is malformed is dropped with a reason.
 */
export function readMirrorHeaders(
  headers: ResponseHeaders,
  { url, digestKnown = false }: { readonly url: string; readonly digestKnown?: boolean },
): MirrorHeaders {
  const warnings = makeWarnings();
  const digests = readDigestHeaders(headers, warnings);
  const links = readLinks(bounded(headers, 'link', limits.linkCharacters, warnings), warnings).filter(
    (link) => isAbout(link, url),
  );
  const sources = links.flatMap((link) => duplicateOf(link, url, warnings));
  const described = links.filter((link) => link.relations.has('describedby'));
  const targets = (types: ReadonlySet<string>) =>
    described
      .filter((link) => types.has(mediaTypeOf(link)))
      .flatMap((link) => resolved(link.target, url) ?? []);
  const found = {
    sources,
    describedBy: targets(metalinkTypes),
    signatures: targets(new Set(['application/pgp-signature'])),
  };
  const trusted = digestKnown || digests.some(({ algorithm }) => !isForgeable(algorithm));
  if (trusted) return { ...found, digests, warnings: warnings.list() };
  if (sources.length + found.describedBy.length + found.signatures.length > 0) {
    warnings.add(
      'links to mirrors ignored: the server gives no digest of SHA-256 or better with them (RFC 6249 §6)',
    );
  }
  return { sources: [], describedBy: [], signatures: [], digests, warnings: warnings.list() };
}

/**
 * The same as a document for `selectSources`. The URL that answered is a source of priority 1: somebody asked for it, and
 * it works.
 */
export function documentOfHeaders(url: string, headers: MirrorHeaders): MetalinkDocument {
  const name = new URL(url).pathname.split('/').at(-1) ?? '';
  const sources = [{ url, priority: 1 }, ...headers.sources];
  const file = { name, digests: headers.digests, pieces: [], sources };
  return { version: 4, files: [file], warnings: headers.warnings };
}

function duplicateOf(link: Link, url: string, warnings: Warnings): LinkedSource[] {
  if (!link.relations.has('duplicate')) return [];
  const target = resolved(link.target, url);
  if (target === undefined) {
    warnings.add(`link ignored: ${quote(redactUrl(link.target.replace(/^.*@/s, '…@')))} is not a URL`);
    return [];
  }
  const priority = readNumber(link, 'pri', 1, warnings);
  const depth = readNumber(link, 'depth', 0, warnings);
  const location = link.parameters.get('geo')?.trim().toLowerCase().slice(0, 100);
  return [
    {
      url: target,
      ...(location ? { location } : {}),
      ...(priority === undefined ? {} : { priority }),
      ...(depth === undefined ? {} : { depth }),
    },
  ];
}

function readNumber(link: Link, name: string, min: number, warnings: Warnings): number | undefined {
  const text = link.parameters.get(name);
  if (text === undefined) return undefined;
  if (/^\d{1,6}$/.test(text) && Number(text) >= min) return Number(text);
  warnings.add(`${name} ignored: ${quote(text)} is not a number from ${min} to 999999`);
  return undefined;
}

function readDigestHeaders(headers: ResponseHeaders, warnings: Warnings): Digest[] {
  const digests: Digest[] = [];
  for (const header of ['repr-digest', 'digest']) {
    const text = bounded(headers, header, limits.digestCharacters, warnings);
    for (const part of text.split(',').filter((piece) => piece.trim() !== '')) {
      const digest = readDigest(part);
      const earlier = digests.find(({ algorithm }) => algorithm === digest?.algorithm);
      if (digest === undefined)
        warnings.add(`${header} ignored: ${quote(part.trim())} is no digest that is known`);
      else if (earlier === undefined) digests.push(digest);
      else if (earlier.hex !== digest.hex) {
        warnings.add(`${header} ignored: a second ${digest.algorithm} that is not the first`);
      }
    }
  }
  return digests;
}

/** `SHA-256=base64` (RFC 3230) or `sha-256=:base64:` (RFC 9530, a dictionary of byte sequences). */
function readDigest(text: string): Digest | undefined {
  const match = /^\s*(?:id-)?([A-Za-z0-9-]{1,20})=(:?)([A-Za-z0-9+/]{1,200}={0,2})\2\s*(?:;.*)?$/.exec(text);
  if (!match) return undefined;
  const name = match[1]!.toUpperCase();
  // the registry of RFC 3230 calls SHA-1 "SHA"
  const algorithm = digestAlgorithmOf(name === 'SHA' ? 'SHA-1' : name);
  const hex = Buffer.from(match[3]!, 'base64').toString('hex');
  if (algorithm === undefined || hex.length !== digestAlgorithms[algorithm].hexLength) return undefined;
  return { algorithm, hex };
}

/** A link with an anchor speaks about that, which need not be what was asked for (RFC 8288 §3.2). */
function isAbout(link: Link, url: string): boolean {
  const anchor = link.parameters.get('anchor');
  return anchor === undefined || resolved(anchor, url) === resolved('', url);
}

function resolved(target: string, base: string): string | undefined {
  if (!URL.canParse(target, base)) return undefined;
  const url = new URL(target, base);
  url.hash = '';
  return url.href;
}

function mediaTypeOf(link: Link): string {
  return (link.parameters.get('type') ?? '').split(';')[0]!.trim().toLowerCase();
}

function bounded(headers: ResponseHeaders, name: string, most: number, warnings: Warnings): string {
  const value = headers[name] ?? '';
  const text = typeof value === 'string' ? value : value.join(', ');
  if (text.length <= most) return text;
  warnings.add(`${name} ignored: ${text.length} characters, at most ${most} are read`);
  return '';
}
