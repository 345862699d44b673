import { lstat, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { formatChecksum, hasErrorCode, redactUrl, silentLogger } from '@millrace/core';
import {
  checkCaPem,
  directorySink,
  type FetchedImage,
  FetchFailure,
  FetchFault,
  type FetchLimits,
  fetchErrors,
  fetchImage,
  findChecksum,
  type ImageRequest,
  isFetchErrorCode,
  makeRateLimiter,
  type S3Access,
} from '@millrace/image';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { Interrupted } from '../failures.ts';
import { formatSources } from '../output/attempts.ts';
import { printable } from '../output/console.ts';
import { asJobSource, makeFetchDisplay } from '../output/fetch-display.ts';
import { makeLiveLine } from '../output/live-line.ts';
import { formatBytes, formatDuration } from '../output/quantities.ts';
import type { CliContext } from './context.ts';
import { type FetchOptions, fetchHelp, readFetchOptions, readHeaders } from './fetch-options.ts';

/** The engine's bounds for somebody who fetches for himself: time-outs as in a cloud, sizes as large as disks are. */
const limits: FetchLimits = {
  connectTimeoutMs: 10_000,
  stallTimeoutMs: 30_000,
  checksumAttempts: 3,
  maxRedirects: 8,
  maxVirtualSizeBytes: 64 * 1024 ** 4,
  maxTransferBytes: 64 * 1024 ** 4,
  sourceOrder: 'priority',
};

/** `millrace fetch`: the image engine alone, into a directory of this machine. */
export async function runFetch(context: CliContext, argv: readonly string[]): Promise<ExitCode> {
  const { stdout, stderr } = context.console;
  const options = readFetchOptions(argv);
  if (options === undefined) {
    stdout.write(fetchHelp);
    return exitCodes.ok;
  }
  const path = resolve(join(options.directory, options.name));
  const obstacle = await obstacleAt(path, options);
  if (obstacle !== undefined) {
    stderr.write(`${printable(obstacle)}\n`);
    return exitCodes.target;
  }
  const live = makeLiveLine(stderr);
  const display = makeFetchDisplay({ live, isTty: stderr.isTty });
  try {
    const request = await withChecksum(context, await requestOf(context, options), options);
    const sink = directorySink({ directory: resolve(options.directory), fileName: options.name });
    const image = await fetchImage(request, sink, {
      signal: context.signal,
      log: silentLogger,
      keepPartial: options.resume,
      ...(options.limitRate === undefined ? {} : { rateLimit: limitOf(options.limitRate) }),
      ...(options.quiet ? {} : { onProgress: (progress) => display.update(progress) }),
    });
    display.finish();
    stdout.write(options.json ? asJson({ path, ...image }) : summary(path, options, image));
    return exitCodes.ok;
  } catch (error) {
    display.finish();
    if (error instanceof FetchFault) return reportFault(context, error);
    if (!(error instanceof FetchFailure)) throw error;
    return reportFailure(context, options, error);
  }
}

/** Why the image cannot be put there, when that can be seen before a byte is moved. */
async function obstacleAt(path: string, options: FetchOptions): Promise<string | undefined> {
  const directory = resolve(options.directory);
  const place = await kindAt(directory);
  if (place === 'nothing') return `There is no directory ${directory}. Make it: mkdir -p ${directory}`;
  if (place === 'other') return `${directory} is no directory. Give --to DIR, and --name FILE for the name.`;
  if (options.force || (await kindAt(path)) === 'nothing') return undefined;
  return `${path} is there already. Replace it with --force, or give another --name.`;
}

async function kindAt(path: string): Promise<'nothing' | 'directory' | 'other'> {
  try {
    return (await stat(path)).isDirectory() ? 'directory' : 'other';
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT', 'ENOTDIR')) return (await isDangling(path)) ? 'other' : 'nothing';
    throw error;
  }
}

/** A link to nowhere takes its name all the same. */
async function isDangling(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

async function requestOf(context: CliContext, options: FetchOptions): Promise<ImageRequest> {
  const lines: string[] = [];
  for (const header of options.headers) {
    if (!header.startsWith('@')) lines.push(header);
    else {
      const text = await context.readFile(header.slice(1), context.signal);
      lines.push(...text.split(/\r?\n/).filter((line) => line.trim() !== ''));
    }
  }
  const readAll = (paths: readonly string[]) =>
    Promise.all(paths.map((path) => context.readFile(path, context.signal)));
  const extraCa = (await readAll(options.caFiles)).flatMap((text) => checkCaPem(text, Date.now()));
  return {
    url: options.url,
    headers: readHeaders(lines),
    format: options.format,
    storeFormat: options.storeFormat,
    expectedDigest: options.digest,
    wantedFile: options.wantedFile,
    extraCa,
    signatureKeys: await readAll(options.keyFiles),
    s3: s3AccessOf(options),
    location: options.location,
    limits: {
      ...limits,
      sourceOrder: options.location.length > 0 ? 'location' : 'priority',
      maxSources: options.maxSources,
      maxConnectionsPerSource: options.connections,
      minBytesPerSecond: options.minRate,
    },
    egress: options.egressPolicy ? { allowedCidrs: [] } : undefined,
  };
}

function limitOf(bytesPerSecond: number) {
  return makeRateLimiter({ bytesPerSecond: undefined }).forTransfer({
    bytesPerSecond,
    priority: 'deployment',
  });
}

/** As the tools of S3 find their keys: in the environment, where no list of processes shows them. */
function s3AccessOf({ s3Endpoint, s3Region }: FetchOptions): S3Access | undefined {
  if (s3Endpoint === undefined) return undefined;
  const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_SESSION_TOKEN } = process.env;
  return {
    endpoint: s3Endpoint,
    region: s3Region,
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN ? { sessionToken: AWS_SESSION_TOKEN } : {}),
  };
}

/** The request with the checksum that a list has for the image; how it is trusted is said. */
async function withChecksum(
  context: CliContext,
  request: ImageRequest,
  { checksumUrl, quiet, wantedFile }: FetchOptions,
): Promise<ImageRequest> {
  if (checksumUrl === undefined) return request;
  const options = { signal: context.signal, log: silentLogger };
  const found = await findChecksum({ ...request, checksumUrl, wantedFile }, options);
  if (!quiet) {
    const lines = [`${formatChecksum(found.digest)}: ${found.trust}`, ...found.warnings];
    for (const line of lines) context.console.stderr.write(`${printable(line)}\n`);
  }
  // what signed the list has vouched for the image by this
  return { ...request, expectedDigest: found.digest, signatureKeys: [] };
}

const verifiedWords = {
  digest: ', as expected',
  pieces: ', by the digest of every piece',
  nothing: '',
} as const;

/** The path on a line of its own, then what is known of the image. */
function summary(path: string, options: FetchOptions, image: FetchedImage): string {
  const packed = image.compression === 'none' ? '' : ` of ${image.compression}`;
  const { convertedFrom, resumedBytes = 0 } = image;
  const facts = [
    `${image.format}${convertedFrom === undefined ? '' : ` from ${convertedFrom}`}`,
    `virtual size ${formatBytes(image.virtualSizeBytes)}`,
    `file ${formatBytes(image.sizeBytes)}`,
    `transferred ${formatBytes(image.transferredBytes)}${packed}`,
    ...(resumedBytes > 0 ? [`went on after ${formatBytes(resumedBytes)}`] : []),
  ];
  const phases = Object.entries(image.phaseMs)
    .filter(([, took]) => took >= 0.5)
    .map(([phase, took]) => `${phase} ${formatDuration(took)}`);
  const expected = verifiedWords[image.verifiedBy ?? 'nothing'];
  // sources that failed were lines when they did
  const failed = options.quiet ? [] : image.attempts.filter(({ state }) => state === 'failed');
  const isTold = (warning: string) => failed.some(({ url }) => warning.startsWith(`${url}: `));
  return [
    path,
    `  ${facts.join(' · ')}`,
    `  ${formatChecksum(image.digest)}${expected}`,
    `  ${phases.join(' · ')}`,
    ...image.warnings.filter((warning) => !isTold(warning)).map((warning) => `  ! ${warning}`),
  ]
    .map((line) => `${line.startsWith('/') ? printable(line) : `  ${printable(line.trimStart())}`}\n`)
    .join('');
}

/** What was found out before the fetch began: nothing of the image was asked for. */
function reportFault({ console: { stderr } }: CliContext, { code, message }: FetchFault): ExitCode {
  stderr.write(`${printable(`${message} (${code})`)}\n`);
  stderr.write(`${printable(`Next: ${fetchErrors[code].nextStep}.`)}\n`);
  return exitCodeOfFetch(code);
}

/** What an interrupted fetch leaves, for whoever wonders about it. */
function leftWords({ resumableBytes }: FetchFailure, options: FetchOptions): string {
  if (resumableBytes === undefined) return 'Nothing was left behind.';
  const kept = `${formatBytes(resumableBytes)} are kept, hidden, in ${options.directory}`;
  return `${kept}: the same command goes on from there.`;
}

function reportFailure(context: CliContext, options: FetchOptions, failure: FetchFailure): ExitCode {
  const { stdout, stderr } = context.console;
  if (failure.cause instanceof Interrupted) {
    stderr.write(`${printable(`Interrupted. ${leftWords(failure, options)}`)}\n`);
    return exitCodes.interrupted;
  }
  const { code, message, attempts } = failure;
  if (options.json) stdout.write(asJson({ error: { code, message }, attempts }));
  // with one attempt the reason below says it all; without a terminal they were told in full when they failed
  else if (attempts.length > 1 && (options.quiet || stderr.isTty)) {
    stderr.write(formatSources(attempts.map(asJobSource)));
  }
  const url = redactUrl(options.url);
  const why = message.startsWith(`${url}: `) ? message.slice(url.length + 2) : message;
  const [what = '', advice] = why.split(/[.;]? (?=Next: )/, 2);
  stderr.write(`${printable(`${url} was not fetched: ${what} (${code})`)}\n`);
  if (advice !== undefined) stderr.write(`${printable(advice)}\n`);
  if (failure.resumableBytes !== undefined) stderr.write(`${printable(leftWords(failure, options))}\n`);
  return exitCodeOfFetch(code);
}

const lists = new Set(['ALL_SOURCES_FAILED', 'METALINK_UNUSABLE', 'CHECKSUM_LIST_UNUSABLE']);

/** The exit status for a code of the engine; `--help` explains them. */
export function exitCodeOfFetch(code: string): ExitCode {
  if (!isFetchErrorCode(code)) return exitCodes.failed;
  if (code === 'REQUEST_MALFORMED') return exitCodes.usage;
  if (lists.has(code)) return exitCodes.connection;
  switch (fetchErrors[code].outcome) {
    case 'same-source':
    case 'next-source':
      return exitCodes.connection;
    case 'wrong-bytes':
    case 'wrong-piece':
    case 'refused':
    case 'policy':
      return exitCodes.refused;
    case 'next-host':
      return exitCodes.target;
    case 'stop':
      return exitCodes.failed;
  }
}

function asJson(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
