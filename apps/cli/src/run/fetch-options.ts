import { parseArgs } from 'node:util';
import { type Digest, describeError, parseChecksum } from '@millrace/core';
import { UsageError } from '../failures.ts';

/** Formats that `--format` takes. */
export const imageFormats = ['qcow2', 'raw', 'iso', 'vmdk', 'vhd', 'vhdx'] as const;
export const storeFormats = ['qcow2', 'raw'] as const;

/** What a fetch was asked for, checked. */
export interface FetchOptions {
  readonly url: string;
  readonly directory: string;
  readonly name: string;
  readonly digest: Digest | undefined;
  /** Of a list of checksums in which the image's is found. */
  readonly checksumUrl: string | undefined;
  /** The file wanted of a metalink with several. */
  readonly wantedFile: string | undefined;
  readonly storeFormat: (typeof storeFormats)[number] | undefined;
  /** Files of PEM certificates, and of armoured OpenPGP public keys. */
  readonly caFiles: readonly string[];
  readonly keyFiles: readonly string[];
  /** Bytes per second. */
  readonly limitRate: number | undefined;
  readonly minRate: number | undefined;
  readonly maxSources: number | undefined;
  readonly connections: number | undefined;
  readonly s3Endpoint: string | undefined;
  readonly s3Region: string;
  /** What is fetched before an interruption is kept for the next time. */
  readonly resume: boolean;
  readonly format: (typeof imageFormats)[number] | undefined;
  /** Each `Name: value`, or `@file` with such lines. */
  readonly headers: readonly string[];
  readonly location: readonly string[];
  readonly egressPolicy: boolean;
  readonly force: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
}

const options = {
  to: { type: 'string' },
  name: { type: 'string' },
  checksum: { type: 'string' },
  format: { type: 'string' },
  'checksum-url': { type: 'string' },
  file: { type: 'string' },
  'store-format': { type: 'string' },
  'ca-file': { type: 'string', multiple: true },
  'signed-by': { type: 'string', multiple: true },
  'limit-rate': { type: 'string' },
  'min-rate': { type: 'string' },
  'max-sources': { type: 'string' },
  connections: { type: 'string' },
  's3-endpoint': { type: 'string' },
  's3-region': { type: 'string' },
  'no-resume': { type: 'boolean' },
  header: { type: 'string', multiple: true },
  location: { type: 'string', multiple: true },
  'egress-policy': { type: 'boolean' },
  force: { type: 'boolean' },
  json: { type: 'boolean' },
  quiet: { type: 'boolean', short: 'q' },
  help: { type: 'boolean', short: 'h' },
} as const;

export const fetchOptionNames: readonly string[] = Object.keys(options).map((name) => `--${name}`);

export const fetchHelp = `Usage: millrace fetch URL --to DIR [OPTIONS]

Fetches an image to this machine as a host of the cloud does: from the best mirrors when URL is a metalink, several at a
time, verified, unpacked (gzip, bzip2, xz, zstd, zip, tar, OVA), inspected, and converted where it is VMDK, VHD or VHDX.
The file appears under its name when all of that is done, and not at all otherwise. No server is needed. It runs with
your own rights: whatever the URLs lead to may be connected to. URLs are http, https, nfs://host/export/file or
s3://bucket/key. Interrupted, it keeps what it has, and the same command goes on from there.

  --to DIR            where to put the image
  --name FILE         its name; by default that of the URL, without the suffix of a metalink or a packing
  --force             replace a file that is there
  --no-resume         start anew, and keep nothing of a fetch that is interrupted

What it must be
  --checksum SUM      of the bytes at the URL: {SHA-256}hex, or bare hex (MD5 to SHA-512 by its length), or the URL of a
                      list such as SHA256SUMS
  --checksum-url URL  the same list
  --signed-by FILE    an armoured OpenPGP public key: the metalink, or the list of checksums, must be signed by it; may be
                      repeated
  --format FORMAT     qcow2, raw, iso, vmdk, vhd or vhdx: refuse anything else
  --file NAME         which file of a metalink with several
  --store-format F    qcow2 (default) or raw: what the image becomes. VMDK, VHD and VHDX never stay what they are

Where from, and how fast
  --header 'K: V'     send this header to the server of the URL; may be repeated. @FILE reads headers from a file, which
                      keeps secrets out of the list of processes
  --ca-file FILE      PEM certificates to trust besides the system's; may be repeated
  --location L        prefer mirrors at this location (a metalink's location, for example de); may be repeated
  --max-sources N     mirrors of the same rank used at a time (4)
  --connections N     connections to each, as long as a further one makes it faster (4)
  --min-rate RATE     below this, mirrors of a lower rank join in
  --limit-rate RATE   not faster than this; RATE is bytes a second: 800k, 20M, 1G
  --s3-endpoint URL   the server of s3:// URLs; keys are taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
                      (and AWS_SESSION_TOKEN)
  --s3-region R       its region (us-east-1)
  --egress-policy     refuse private, loopback and metadata addresses, as the hosts of a cloud do

What it shows
  --json              print the result, or the failure with its attempts, as JSON
  -q, --quiet         no progress

Examples
  millrace fetch https://images.example.org/debian-12.qcow2.meta4 --to .
  millrace fetch https://images.example.org/disk.qcow2.xz --to . --checksum https://images.example.org/SHA256SUMS
  millrace fetch https://mirror.corp/disk.vmdk --to . --name disk.qcow2 --ca-file corp-ca.pem --limit-rate 20M
  millrace fetch s3://images/disk.qcow2 --to . --s3-endpoint https://s3.corp

Exit status: 0 fetched, 2 wrong usage, 3 no source delivered the image (network, HTTP, TLS, lists), 5 the image was
refused (checksum, signature, format, inspection, limit, egress policy), 6 it cannot be stored (file exists, no space, not
writable, a program is missing), 130 interrupted, 1 anything else.
`;

/**
 * Reads the words after `fetch`. @returns `undefined` when help is wanted
 * @throws UsageError
 */
export function readFetchOptions(argv: readonly string[]): FetchOptions | undefined {
  const { values, positionals } = parsed(argv);
  if (values.help) return undefined;
  const [url, ...more] = positionals;
  if (url === undefined) throw wrong('What to fetch? Give a URL.');
  if (more.length > 0) throw wrong(`One URL at a time, please; what is ${JSON.stringify(more[0])}?`);
  if (!/^(https?|nfs|s3):$/.test(URL.parse(url)?.protocol ?? '')) {
    throw wrong(`${url} is no http, https, nfs or s3 URL.`);
  }
  if (!values.to) throw wrong('Where to? Give --to DIR.');
  const listed = values.checksum !== undefined && /^https?:\/\//i.test(values.checksum);
  const checksumUrl = listed ? values.checksum : values['checksum-url'];
  if (checksumUrl !== undefined && !/^https?:$/.test(URL.parse(checksumUrl)?.protocol ?? '')) {
    throw wrong(`--checksum-url: ${checksumUrl} is no http or https URL.`);
  }
  return {
    url,
    directory: values.to,
    name: values.name === undefined ? nameOf(url) : checkedName(values.name),
    digest: values.checksum === undefined || listed ? undefined : digestOf(values.checksum),
    checksumUrl,
    wantedFile: values.file,
    format: oneOf('--format', imageFormats, values.format),
    storeFormat: oneOf('--store-format', storeFormats, values['store-format']),
    caFiles: values['ca-file'] ?? [],
    keyFiles: values['signed-by'] ?? [],
    limitRate: rateOf('--limit-rate', values['limit-rate']),
    minRate: rateOf('--min-rate', values['min-rate']),
    maxSources: countOf('--max-sources', values['max-sources']),
    connections: countOf('--connections', values.connections),
    s3Endpoint: values['s3-endpoint'],
    s3Region: values['s3-region'] ?? 'us-east-1',
    resume: !(values['no-resume'] ?? false),
    headers: values.header ?? [],
    location: values.location ?? [],
    egressPolicy: values['egress-policy'] ?? false,
    force: values.force ?? false,
    json: values.json ?? false,
    quiet: values.quiet ?? false,
  };
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    throw wrong(describeError(error));
  }
}

function oneOf<T extends string>(
  option: string,
  known: readonly T[],
  given: string | undefined,
): T | undefined {
  const found = known.find((name) => name === given?.toLowerCase());
  if (given !== undefined && found === undefined) {
    throw wrong(`${option}: unknown format ${given}. There are ${known.join(', ')}.`);
  }
  return found;
}

function countOf(option: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const count = /^\d{1,3}$/.test(given) ? Number(given) : 0;
  if (count < 1) throw wrong(`${option}: ${given} is no number from 1 to 999.`);
  return count;
}

const rateUnits: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 };

/** Bytes per second, of `20M` and the like. */
function rateOf(option: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined;
  const [, digits, unit = ''] = /^(\d{1,6}(?:\.\d{1,3})?)([kmg]?)$/i.exec(given) ?? [];
  const rate = Number(digits) * (rateUnits[unit.toLowerCase()] ?? Number.NaN);
  if (!(rate >= 1)) throw wrong(`${option}: ${given} is no rate such as 800k, 20M or 1G.`);
  return rate;
}

function digestOf(text: string): Digest {
  try {
    return parseChecksum(text);
  } catch (error) {
    throw wrong(`--checksum: ${describeError(error)}`);
  }
}

/** The name that a URL gives its image: `…/debian%2012.qcow2.bz2.meta4?x` → `debian 12.qcow2`. */
export function nameOf(url: string): string {
  const last = new URL(url).pathname.split('/').at(-1) ?? '';
  let name: string;
  try {
    name = decodeURIComponent(last);
  } catch {
    name = last;
  }
  name = name.replace(/\.(meta4|metalink)$/i, '').replace(/\.(gz|gzip|bz2|xz|zst|zstd|zip)$/i, '');
  // an OVA holds a disk, which is stored as what pools store, like all that is converted
  name = name.replace(/\.(ova|vmdk|vhd|vhdx)$/i, '.qcow2').replace(/\.tar$/i, '');
  try {
    return checkedName(name);
  } catch {
    throw wrong('The URL gives no usable file name. Give one: --name FILE.');
  }
}

function checkedName(name: string): string {
  if (
    name === '' ||
    name.startsWith('.') ||
    /[/\\\u0000-\u001f\u007f]/.test(name) ||
    Buffer.byteLength(name) > 240
  ) {
    throw wrong(
      `${JSON.stringify(name)} cannot be the name of the image: one plain file name, not hidden, in --to.`,
    );
  }
  return name;
}

/**
 * Reads `Name: value` lines.
 * @throws UsageError without repeating the value, which may be a secret
 */
export function readHeaders(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const match = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*([^\r\n\0]*)$/.exec(line);
    if (!match) throw wrong("A header is written 'Name: value'.");
    headers[match[1]!] = match[2]!.trimEnd();
  }
  return headers;
}

function wrong(message: string): UsageError {
  return new UsageError(`${message}\nHelp: millrace fetch --help`);
}
