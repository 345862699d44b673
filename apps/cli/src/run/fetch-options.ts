import { parseArgs } from 'node:util';
import { type Digest, describeError, parseChecksum } from '@millrace/core';
import { UsageError } from '../failures.ts';

/** Formats that `--format` takes. */
export const imageFormats = ['qcow2', 'raw', 'iso'] as const;

/** What a fetch was asked for, checked. */
export interface FetchOptions {
  readonly url: string;
  readonly directory: string;
  readonly name: string;
  readonly digest: Digest | undefined;
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

Fetches an image to this machine as a host of the cloud does: from the best mirrors when URL is a metalink, verified,
unpacked (gzip, bzip2, xz, zstd) and inspected on the way. The file appears under its name when all of that is done, and
not at all otherwise. No server is needed. It runs with your own rights: whatever the URLs lead to may be connected to.

  --to DIR            where to put the image
  --name FILE         its name; by default that of the URL, without the suffix of a metalink or a compression
  --checksum SUM      of the bytes at the URL: {SHA-256}hex, or bare hex (MD5 to SHA-512 by its length)
  --format FORMAT     qcow2, raw or iso: refuse anything else
  --header 'K: V'     send this header to the server of the URL; may be repeated. @FILE reads headers from a file, which
                      keeps secrets out of the list of processes
  --location L        prefer mirrors at this location (a metalink's location, for example de); may be repeated
  --egress-policy     refuse private, loopback and metadata addresses, as the hosts of a cloud do
  --force             replace a file that is there
  --json              print the result, or the failure with its attempts, as JSON
  -q, --quiet         no progress

Exit status: 0 fetched, 2 wrong usage, 3 no source delivered the image (network, HTTP, TLS), 5 the image was refused
(checksum, format, inspection, limit, egress policy), 6 it cannot be stored (file exists, no space, not writable, a
program for unpacking is missing), 130 interrupted, 1 anything else. Except after 0, nothing new is left in DIR.
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
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) throw wrong(`${url} is no http or https URL.`);
  if (!values.to) throw wrong('Where to? Give --to DIR.');
  const format = imageFormats.find((name) => name === values.format?.toLowerCase());
  if (values.format !== undefined && format === undefined) {
    throw wrong(`Unknown format ${values.format}. There are ${imageFormats.join(', ')}.`);
  }
  return {
    url,
    directory: values.to,
    name: values.name === undefined ? nameOf(url) : checkedName(values.name),
    digest: values.checksum === undefined ? undefined : digestOf(values.checksum),
    format,
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
  name = name.replace(/\.(meta4|metalink)$/i, '').replace(/\.(gz|gzip|bz2|xz|zst|zstd)$/i, '');
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
