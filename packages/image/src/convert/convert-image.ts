import { open } from 'node:fs/promises';
import { dirname, isAbsolute } from 'node:path';
import type { Readable } from 'node:stream';
import { describeError, MillraceError, runProgram, spawnProgram } from '@millrace/core';
import { z } from 'zod';
import {
  type ConfinedCommand,
  type Confinement,
  findConfinement,
  type ReachableFiles,
} from '../confine/confinement.ts';
import { findProgram } from '../confine/find-program.ts';
import { FetchFault } from '../errors.ts';
import { storageFault } from '../sink/storage-faults.ts';
import type { ConversionPlaces, ForeignFormat } from '../types.ts';
import { judgeConversion } from './judge-conversion.ts';

export interface Conversion {
  /** An image that inspection has accepted. Absolute. */
  readonly path: string;
  readonly from: ForeignFormat | 'qcow2';
  readonly to: 'qcow2' | 'raw';
  /** Where the result goes: absolute, its directory exists. Written anew; worth nothing when the conversion fails. */
  readonly output: string;
  /** Default `files`. A socket's server has what is to be written, as large as the result, and nothing in it yet. */
  readonly places?: ConversionPlaces | undefined;
  /** The largest offset that may be written: of a raw result its virtual size, of qcow2 that and some for its tables. */
  readonly maxOutputBytes: number;
  readonly signal: AbortSignal;
  /** From 0 to 1, a few times a second at most. */
  readonly onProgress?: (done: number) => void;
  /** Without it, what this host has is found out first. */
  readonly confinement?: Confinement | undefined;
}

/** What QEMU calls them. */
const driverOf = { vmdk: 'vmdk', vhd: 'vpc', vhdx: 'vhdx', qcow2: 'qcow2' } as const;
const limits = { memoryBytes: 2 * 1024 ** 3, cpuSeconds: 12 * 3600, openFiles: 64 };

/**
 * Converts an image with `qemu-img`, which is given the format, sees this one image, may write this one result, and
 * nothing else: whatever the image says, there is no other file to be led to. The result is not synced: whoever commits it
 * does that.
 * @returns how the program was confined
 * @throws FetchFault `CONVERTER_MISSING`, `CONVERT_FAILED`, `POOL_FULL`, `POOL_UNAVAILABLE`, `UNPACKED_TOO_LARGE`,
 * `DECODER_FAILED` when it was killed; the signal's reason when aborted
 */
export async function convertImage(conversion: Conversion): Promise<ConfinedCommand['confinedBy']> {
  const { path, output, signal, places = 'files' } = conversion;
  if (!isAbsolute(path) || !isAbsolute(output)) throw new Error('paths of a conversion are absolute');
  signal.throwIfAborted();
  const command = await conversionCommand(conversion);
  // it is reached through a mount of the file itself, which must therefore be there
  if (places === 'files')
    try {
      await (await open(output, 'a', 0o600)).close();
    } catch (error) {
      throw await storageFault(error, dirname(output), 0);
    }
  const child = spawnProgram(command.file, command.argv, {
    signal,
    wholeGroup: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = Promise.withResolvers<{ code: number | null; signal: string | null }>();
  child.once('error', (error) => {
    exit.reject(new FetchFault('CONVERTER_MISSING', describeError(error), { cause: error }));
  });
  child.once('close', (code, signalName) => exit.resolve({ code, signal: signalName }));
  // both are pipes, so both are there
  const reading = [readProgress(child.stdout!, conversion.onProgress), readText(child.stderr!)] as const;
  try {
    const [ended, , complaints] = await Promise.all([exit.promise, ...reading]);
    judgeConversion(ended, complaints, [path, output]);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
  return command.confinedBy;
}

const infoOutput = z.object({ 'virtual-size': z.number().int().nonnegative() });

/**
 * How many bytes a raw result will have. Not always what the image's header says: QEMU takes the size of some VHDs from
 * their geometry.
 * @throws FetchFault as `convertImage`; `IMAGE_TOO_LARGE`
 */
export async function convertedBytes(
  conversion: Pick<Conversion, 'path' | 'from' | 'places' | 'signal' | 'confinement'> & {
    readonly maxVirtualSizeBytes: number;
  },
): Promise<number> {
  const { path, from, places = 'files', signal, maxVirtualSizeBytes } = conversion;
  const argv = ['info', '--output', 'json', '--image-opts', imageOptions(driverOf[from], path, places)];
  const command = await confinedQemuImg(conversion, argv, { fileBytes: 0, files: reachable(places, [path]) });
  try {
    const { stdout } = await runProgram(command.file, command.argv, { signal, wholeGroup: true });
    const bytes = infoOutput.parse(JSON.parse(stdout))['virtual-size'];
    if (bytes > maxVirtualSizeBytes) throw new FetchFault('IMAGE_TOO_LARGE', `${bytes} bytes`);
    return bytes;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof MillraceError) || error.code !== 'PROGRAM_FAILED') throw error;
    const { exitCode, stderr } = error.details;
    judgeConversion({ code: Number(exitCode), signal: null }, String(stderr), [path]);
    throw error;
  }
}

async function conversionCommand(conversion: Conversion): Promise<ConfinedCommand> {
  const { path, from, to, output, maxOutputBytes, places = 'files' } = conversion;
  const argv =
    places === 'files'
      ? ['-f', driverOf[from], '-O', to, path, output]
      : [
          ...['--image-opts', '--target-image-opts', '-n', '--target-is-zero'],
          ...[imageOptions(driverOf[from], path, places), imageOptions(to, output, places)],
        ];
  return confinedQemuImg(conversion, ['convert', '-p', ...cacheModes, ...argv], {
    fileBytes: maxOutputBytes,
    files: places === 'files' ? { read: [path], write: [output] } : reachable(places, [path, output]),
  });
}

/** Who connects to a socket writes to it, whatever it reads there. */
function reachable(places: ConversionPlaces, paths: readonly string[]): ReachableFiles {
  return places === 'files' ? { read: paths } : { write: paths };
}

/** In QEMU's notation a comma is doubled. */
function imageOptions(driver: string, path: string, places: ConversionPlaces): string {
  const escaped = path.replaceAll(',', ',,');
  const file =
    places === 'files'
      ? `file.driver=file,file.filename=${escaped}`
      : `file.driver=nbd,file.server.type=unix,file.server.path=${escaped}`;
  return `driver=${driver},${file}`;
}

async function confinedQemuImg(
  { confinement, signal }: Pick<Conversion, 'confinement' | 'signal'>,
  argv: readonly string[],
  { fileBytes, files }: { readonly fileBytes: number; readonly files: ReachableFiles },
): Promise<ConfinedCommand> {
  const found = confinement ?? (await findConfinement(signal));
  if (found === undefined) throw new FetchFault('CONVERTER_MISSING', 'prlimit');
  const program = await findProgram('qemu-img');
  if (program === undefined) throw new FetchFault('CONVERTER_MISSING', 'qemu-img');
  return found.command(program, argv, { limits: { ...limits, fileBytes }, files });
}

/**
 * Buffered: measured no slower than direct I/O here, and every file system has it. Out of order, as otherwise a raw result
 * takes up to four times as long.
 */
const cacheModes = ['-t', 'writeback', '-W'];

/** Reads `    (12.34/100%)\r`, which `-p` prints again and again. */
async function readProgress(
  stdout: Readable,
  onProgress: ((done: number) => void) | undefined,
): Promise<void> {
  for await (const chunk of stdout as AsyncIterable<Buffer>) {
    const last = [...chunk.toString('latin1').matchAll(/\((\d{1,3}\.\d{2})\/100%\)/g)].at(-1);
    if (last) onProgress?.(Number(last[1]) / 100);
  }
}

async function readText(stderr: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stderr as AsyncIterable<Buffer>) {
    if (text.length < 4000) text += chunk.toString('utf8');
  }
  return text;
}
