import { availableParallelism } from 'node:os';
import type { ConfinedCommand, Confinement, ProgramLimits } from '../confine/confinement.ts';
import { findProgram } from '../confine/find-program.ts';
import { FetchFault } from '../errors.ts';
import type { ProgramCompression } from './end-check.ts';
import { archiveBroken } from './stage.ts';

/** A program that unpacks from its standard input to its standard output. */
export interface UnpackProgram {
  readonly name: string;
  readonly argv: readonly string[];
  readonly memoryBytes: number;
}

const mebibyte = 1024 * 1024;
/** More threads than this cost memory and wait for the network. */
const threads = Math.min(8, availableParallelism());
/** Address space, of which threads reserve far more than they use: 8 MiB of stack and 64 MiB of heap each. */
const memoryOfThreads = 1024 * mebibyte + threads * 128 * mebibyte;

/** Keeps a hostile header from claiming a dictionary of gigabytes; `xz -9` needs 65 MiB. */
const largestXzDictionary = '--memlimit-decompress=256MiB';
/**
 * What all threads together may use; with fewer of them where it is not enough. Two threads take 115 MiB of a file that
 * was packed by `xz -6`.
 */
const xzMemoryOfThreads = '--memlimit-mt-decompress=192MiB';

const xz = (count: number): UnpackProgram => ({
  name: 'xz',
  argv: [
    '--decompress',
    '--stdout',
    '--format=xz',
    `--threads=${count}`,
    largestXzDictionary,
    xzMemoryOfThreads,
  ],
  memoryBytes: memoryOfThreads,
});
const bzip2: UnpackProgram = {
  name: 'bzip2',
  argv: ['--decompress', '--stdout', '--quiet'],
  memoryBytes: 256 * mebibyte,
};
const lbzip2: UnpackProgram = {
  name: 'lbzip2',
  argv: ['--decompress', '--stdout', '-n', `${threads}`],
  memoryBytes: memoryOfThreads,
};

/** Programs for whole files, the fastest first. gzip and zstd can be unpacked without any, at half the speed. */
const forWhole: Readonly<Record<ProgramCompression, readonly UnpackProgram[]>> = {
  gzip: [{ name: 'igzip', argv: ['-d', '-c'], memoryBytes: 256 * mebibyte }],
  // the limit of node:zlib as well, so that both accept the same files
  zstd: [
    {
      name: 'zstd',
      argv: ['--decompress', '--stdout', '--quiet', '--memory=128MiB'],
      memoryBytes: 1024 * mebibyte,
    },
  ],
  xz: [xz(threads)],
  bzip2: [lbzip2, bzip2],
};

/**
 * Programs for the beginning of a file. lbzip2 prints nothing of a file whose end it has not seen, and the threads of xz
 * wait for whole blocks.
 */
const forBeginning: Readonly<Record<ProgramCompression, readonly UnpackProgram[]>> = {
  gzip: [],
  zstd: [],
  xz: [xz(1)],
  bzip2: [bzip2, lbzip2],
};

export function unpackProgramsFor(
  compression: ProgramCompression,
  partial: boolean,
): readonly UnpackProgram[] {
  return (partial ? forBeginning : forWhole)[compression];
}

/** An image of 2 TiB from the slowest of them; whoever needs more hangs. */
const cpuSeconds = 48 * 3600;
const limitsOf = ({ memoryBytes }: UnpackProgram): ProgramLimits => ({
  memoryBytes,
  cpuSeconds,
  openFiles: 16,
  fileBytes: 0,
});

/**
 * How to start the first of the programs that is installed: confined, with nothing but its standard streams.
 * @returns `undefined` when none of them is
 */
export async function unpackCommand(
  programs: readonly UnpackProgram[],
  confinement: Confinement,
): Promise<ConfinedCommand | undefined> {
  for (const program of programs) {
    const path = await findProgram(program.name);
    if (path !== undefined) return confinement.command(path, program.argv, { limits: limitsOf(program) });
  }
  return undefined;
}

export interface ProgramExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/**
 * @param complaints what the program wrote to its standard error
 * @throws FetchFault `ARCHIVE_BROKEN` when the program says so of the archive, `DECODER_FAILED` when it was killed or could
 * not be started
 */
export function judgeExit(compression: ProgramCompression, exit: ProgramExit, complaints: string): void {
  if (exit.code === 0) return;
  const line = complaints.split('\n').find((text) => text.trim() !== '') ?? '';
  // bubblewrap reports a death by signal as a shell does
  const killedBy =
    exit.signal ?? (exit.code !== null && exit.code > 128 ? `signal ${exit.code - 128}` : undefined);
  if (killedBy !== undefined) throw new FetchFault('DECODER_FAILED', `${compression}: ${killedBy}`);
  if (/^(bwrap|prlimit): /.test(line)) throw new FetchFault('DECODER_FAILED', line.slice(0, 200));
  const said = line.replace(/^\w+: /, '').slice(0, 200);
  throw archiveBroken(compression, said === '' ? `exit code ${exit.code}` : said);
}
