import { open } from 'node:fs/promises';
import { dirname, isAbsolute } from 'node:path';
import type { Readable } from 'node:stream';
import { describeError, spawnProgram } from '@millrace/core';
import { type ConfinedCommand, type Confinement, findConfinement } from '../confine/confinement.ts';
import { findProgram } from '../confine/find-program.ts';
import { FetchFault } from '../errors.ts';
import { storageFault } from '../sink/storage-faults.ts';
import type { ForeignFormat } from '../types.ts';
import { judgeConversion } from './judge-conversion.ts';

export interface Conversion {
  /** An image that inspection has accepted. Absolute. */
  readonly path: string;
  readonly from: ForeignFormat | 'qcow2';
  readonly to: 'qcow2' | 'raw';
  /** Where the result goes: absolute, its directory exists. Written anew; worth nothing when the conversion fails. */
  readonly output: string;
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
  const { path, output, signal } = conversion;
  if (!isAbsolute(path) || !isAbsolute(output)) throw new Error('paths of a conversion are absolute');
  signal.throwIfAborted();
  const command = await confinedCommand(conversion);
  // it is reached through a mount of the file itself, which must therefore be there
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

async function confinedCommand(conversion: Conversion): Promise<ConfinedCommand> {
  const { path, from, to, output, maxOutputBytes, signal } = conversion;
  const confinement = conversion.confinement ?? (await findConfinement(signal));
  if (confinement === undefined) throw new FetchFault('CONVERTER_MISSING', 'prlimit');
  const program = await findProgram('qemu-img');
  if (program === undefined) throw new FetchFault('CONVERTER_MISSING', 'qemu-img');
  const argv = ['convert', '-p', '-f', driverOf[from], '-O', to, ...cacheModes, path, output];
  return confinement.command(program, argv, {
    limits: { ...limits, fileBytes: maxOutputBytes },
    files: { read: [path], write: [output] },
  });
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
