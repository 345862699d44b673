import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { runProgram } from '@millrace/core';
import type { Compression } from '../types.ts';
import { temporaryDirectory } from './request.ts';

const suffixes = { xz: 'xz', bzip2: 'bz2' } as const;

/** Compresses bytes with node:zlib, or with the program of that name and its further arguments. */
export async function pack(
  compression: Exclude<Compression, 'none' | 'zip' | 'tar'>,
  bytes: Buffer,
  ...argv: readonly string[]
): Promise<Buffer> {
  if (compression === 'gzip') return gzipSync(bytes);
  if (compression === 'zstd') return zstdCompressSync(bytes);
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'file');
  await writeFile(path, bytes);
  await runProgram(compression, [...argv, '--keep', path], { signal: AbortSignal.timeout(60_000) });
  return readFile(`${path}.${suffixes[compression]}`);
}
