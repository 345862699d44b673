import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describeError, hasErrorCode, spawnProgram } from '@millrace/core';
import { FetchFault } from '../errors.ts';
import { bzip2EndChecker } from './bzip2-end.ts';
import { archiveBroken, type DecodeOptions } from './stage.ts';

/** A program that unpacks from stdin to stdout. */
export interface UnpackProgram {
  readonly file: string;
  readonly argv: readonly string[];
}

/** The limit keeps a hostile header from claiming a dictionary of gigabytes; `xz -9` needs 65 MiB. */
export const xzPrograms: readonly UnpackProgram[] = [
  { file: 'xz', argv: ['--decompress', '--stdout', '--format=xz', '--memlimit-decompress=256MiB'] },
];

/**
 * lbzip2 uses every core but prints nothing of a file whose end it has not seen; for the beginning of a file bzip2 is
 * the one that helps.
 */
export function bzip2Programs({ partial }: DecodeOptions): readonly UnpackProgram[] {
  const argv = ['--decompress', '--stdout'];
  const parallel = { file: 'lbzip2', argv };
  const plain = { file: 'bzip2', argv };
  return partial ? [plain, parallel] : [parallel, plain];
}

/**
 * Unpacks through the first of the programs that is installed.
 * @throws FetchFault `ARCHIVE_BROKEN`, `DECODER_MISSING`, `DECODER_FAILED`; whatever the input throws, in preference to
 * what the program made of an input that ended early.
 */
export async function* decodeThroughProgram(
  compression: 'xz' | 'bzip2',
  programs: readonly UnpackProgram[],
  input: AsyncIterable<Buffer>,
  options: DecodeOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const child = await startFirstInstalled(programs, signal);
  const observed = observeInput(input, compression);
  feed(observed, child.stdin, signal);
  const complaints = readComplaints(child.stderr);
  let finished = false;
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) yield chunk;
    finished = true;
  } finally {
    // the consumer went away: neither the program nor whoever feeds it may wait for it
    if (!finished) stop.abort();
  }
  const exit = await child.exit;
  // the program may have left in the middle of the input: whoever feeds it must not wait for the next bytes
  stop.abort();
  options.signal.throwIfAborted();
  if (observed.failure) throw observed.failure.error;
  if (options.partial) return;
  judgeExit(compression, exit, await complaints);
  if (!observed.ended || (compression === 'bzip2' && !observed.endsAtEndMark())) {
    throw archiveBroken(compression, 'bytes after the end of the archive');
  }
}

interface RunningProgram {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exit: Promise<{ readonly code: number | null; readonly signal: string | null }>;
}

async function startFirstInstalled(
  programs: readonly UnpackProgram[],
  signal: AbortSignal,
): Promise<RunningProgram> {
  for (const { file, argv } of programs) {
    const child = spawnProgram(file, argv, { signal, stdio: ['pipe', 'pipe', 'pipe'] });
    const started = Promise.withResolvers<boolean>();
    const exit = Promise.withResolvers<{ code: number | null; signal: string | null }>();
    child.once('spawn', () => started.resolve(true));
    child.on('error', (error) => {
      if (hasErrorCode(error, 'ENOENT')) started.resolve(false);
      else started.reject(new FetchFault('DECODER_FAILED', describeError(error), { cause: error }));
    });
    child.once('close', (code, signalName) => exit.resolve({ code, signal: signalName }));
    if (!(await started.promise)) continue;
    // all three are pipes, so all three are there
    return { stdin: child.stdin!, stdout: child.stdout!, stderr: child.stderr!, exit: exit.promise };
  }
  throw new FetchFault('DECODER_MISSING', programs.map(({ file }) => file).join(' or '));
}

/** Hands the input to the program. How either of them ended is known from themselves. */
function feed(input: AsyncIterable<Buffer>, stdin: Writable, signal: AbortSignal): void {
  pipeline(input, stdin, { signal }).catch(() => {
    // a program that exits early closes its stdin: its exit code says why. An input that failed has been observed.
  });
}

interface ObservedInput extends AsyncIterable<Buffer> {
  readonly failure: { readonly error: unknown } | undefined;
  readonly ended: boolean;
  endsAtEndMark(): boolean;
}

/** Remembers how the input ended, since the program on the other side sees only that it did. */
function observeInput(input: AsyncIterable<Buffer>, compression: 'xz' | 'bzip2'): ObservedInput {
  let failure: { readonly error: unknown } | undefined;
  let ended = false;
  const end = bzip2EndChecker();
  return {
    get failure() {
      return failure;
    },
    get ended() {
      return ended;
    },
    endsAtEndMark: () => end.isComplete(),
    async *[Symbol.asyncIterator]() {
      try {
        for await (const chunk of input) {
          if (compression === 'bzip2') end.update(chunk);
          yield chunk;
        }
        ended = true;
      } catch (error) {
        failure = { error };
        throw error;
      }
    },
  };
}

async function readComplaints(stderr: Readable): Promise<string> {
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

function judgeExit(
  compression: 'xz' | 'bzip2',
  exit: { readonly code: number | null; readonly signal: string | null },
  complaints: string,
): void {
  if (exit.signal !== null) throw new FetchFault('DECODER_FAILED', `${compression}: ${exit.signal}`);
  if (exit.code === 0) return;
  const said = complaints
    .split('\n')
    .find((line) => line.trim() !== '')
    ?.replace(/^\w+: /, '');
  throw archiveBroken(compression, said?.slice(0, 200) ?? `exit code ${exit.code}`);
}
