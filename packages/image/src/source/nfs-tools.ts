import type { Readable } from 'node:stream';
import { describeError, hasErrorCode, MillraceError, runProgram, spawnProgram } from '@millrace/core';
import { type FetchErrorCode, FetchFault } from '../errors.ts';
import { nobody } from './nfs-url.ts';

/** What `nfs-ls` tells of one name in a directory. */
export interface NfsEntry {
  readonly kind: 'file' | 'directory' | 'other';
  readonly sizeBytes: number;
}

/**
 * Lists the directory of a URL and finds a name in it. `undefined` when the name is not listed or the directory may not
 * be listed, which does not say that the file cannot be read.
 * @throws FetchFault when the directory cannot be mounted; the signal's reason when aborted.
 */
export async function findNfsEntry(
  directoryUrl: string,
  name: string,
  signal: AbortSignal,
): Promise<NfsEntry | undefined> {
  const [file, argv] = confined('nfs-ls', directoryUrl);
  try {
    const { stdout } = await runProgram(file, argv, { signal });
    return entryOf(stdout, name);
  } catch (error) {
    if (signal.aborted || !(error instanceof MillraceError)) throw error;
    if (error.code === 'PROGRAM_OUTPUT_TOO_LARGE') return undefined;
    const { exitCode, stderr } = error.details;
    if (error.code === 'PROGRAM_MISSING' || exitCode === exitNotFound) throw toolMissing('nfs-ls');
    // a directory that is mounted and cannot be listed is complained about on stdout
    if (typeof stderr !== 'string' || stderr === '') return undefined;
    throw nfsToolFault(stderr, error);
  }
}

/** A running `nfs-cat`. */
export interface NfsReader extends AsyncIterable<Buffer> {
  /** Ends the program. */
  destroy(): void;
}

/** The bytes of a file, from its first. Ends with a fault unless the program read all of them. */
export function readNfsFile(url: string, signal: AbortSignal): NfsReader {
  const stop = new AbortController();
  const [file, argv] = confined('nfs-cat', url);
  const child = spawnProgram(file, argv, {
    signal: AbortSignal.any([signal, stop.signal]),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = Promise.withResolvers<{ code: number | null; signal: string | null }>();
  child.once('close', (code, signalName) => exit.resolve({ code, signal: signalName }));
  const startFailure: { error?: unknown } = {};
  child.on('error', (error) => {
    startFailure.error = error;
    // a program that never started emits no close
    if (child.pid === undefined) exit.resolve({ code: exitNotFound, signal: null });
  });
  const complaints = readComplaints(child.stderr);
  return {
    async *[Symbol.asyncIterator]() {
      if (child.pid !== undefined) yield* child.stdout as AsyncIterable<Buffer>;
      judgeExit(await exit.promise, await complaints, startFailure.error);
    },
    destroy: () => stop.abort(),
  };
}

const exitNotFound = 127;

/**
 * The tools are C and read what a stranger's server sends, so they get no more than they need: no root, no files of
 * theirs, little memory, and of all capabilities the one to use a port below 1024, which most exports insist on.
 */
function confined(tool: 'nfs-ls' | 'nfs-cat', url: string): [file: string, argv: string[]] {
  const limited = ['--as=268435456', '--core=0', '--fsize=0', '--nofile=64', tool, url];
  if (process.getuid?.() !== 0) return ['prlimit', limited];
  const kept = '-all,+net_bind_service';
  return [
    'setpriv',
    [
      `--reuid=${nobody}`,
      `--regid=${nobody}`,
      '--clear-groups',
      `--inh-caps=${kept}`,
      `--ambient-caps=${kept}`,
      `--bounding-set=${kept}`,
      '--no-new-privs',
      // libnfs never gives up on a server that is away: without this it would outlive a fetch that was killed
      '--pdeathsig=KILL',
      'prlimit',
      ...limited,
    ],
  ];
}

/** Lines of nfs-ls: `-rw-r--r--  1     0     0    629145600 big.raw`. Exported for its test. */
export function entryOf(listing: string, name: string): NfsEntry | undefined {
  for (const line of listing.split('\n')) {
    const match =
      /^([-dlcb])?[r-][w-][x-][r-][w-][x-][r-][w-][x-] +-?\d+ +-?\d+ +-?\d+ +(\d{1,15}) (.+)$/.exec(line);
    if (match?.[3] !== name) continue;
    const kind = match[1] === '-' ? 'file' : match[1] === 'd' ? 'directory' : 'other';
    return { kind, sizeBytes: Number(match[2]) };
  }
  return undefined;
}

/** libnfs names the status that the server answered with: NFS3ERR_…, NFS4ERR_… (RFC 1813 §2.6, RFC 7530 §13), MNT3ERR_…. */
const byComplaint: readonly (readonly [RegExp, FetchErrorCode])[] = [
  [/ERR_(NOENT|NOTDIR|ISDIR|NAMETOOLONG|BADNAME|STALE)\b|points outside export/, 'SOURCE_NOT_FOUND'],
  [/ERR_(ACCES|ACCESS|PERM|WRONGSEC)\b|ACCESS denied|AUTH_|Permission denied/, 'SOURCE_DENIED'],
  [/Failed to read from file/, 'TRANSFER_CUT'],
];

/** The fault that a complaint of libnfs's tools stands for. Only its first line is shown: the next repeats the URL. */
export function nfsToolFault(complaint: string, cause?: unknown): FetchFault {
  const line = complaint.trim().split('\n')[0] ?? '';
  const code = byComplaint.find(([pattern]) => pattern.test(line))?.[1] ?? 'SOURCE_UNEXPECTED';
  const found = line.replace(/^Failed to (mount nfs share : |open file )/, '').replace(/\p{Cc}/gu, ' ');
  return new FetchFault(code, found.slice(0, 200), { cause });
}

function toolMissing(tool: string): FetchFault {
  return new FetchFault('SOURCE_TOOL_MISSING', tool);
}

function judgeExit(
  exit: { readonly code: number | null; readonly signal: string | null },
  complaints: string,
  startError: unknown,
): void {
  if (exit.code === 0) return;
  if (exit.code === exitNotFound) throw toolMissing('nfs-cat');
  if (startError !== undefined && !hasErrorCode(startError, 'ABORT_ERR')) {
    throw new FetchFault('SOURCE_UNEXPECTED', describeError(startError).slice(0, 200), { cause: startError });
  }
  if (exit.signal !== null) throw new FetchFault('TRANSFER_CUT', `nfs-cat was ended by ${exit.signal}`);
  throw nfsToolFault(complaints || `exit code ${exit.code}`);
}

async function readComplaints(stderr: Readable | null): Promise<string> {
  if (!stderr) return '';
  let text = '';
  try {
    for await (const chunk of stderr as AsyncIterable<Buffer>) {
      if (text.length < 2000) text += chunk.toString('utf8');
    }
  } catch {
    // the program was killed; what it said until then is enough
  }
  return text.trim();
}
