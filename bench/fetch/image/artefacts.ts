import { createHash } from 'node:crypto';
import { type FileHandle, open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrorCode } from '@millrace/core';

/** A file that is served. */
export interface Artefact {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  /** Bytes that are not in blocks of zeros: what has to be written. */
  readonly dataBytes: number;
  readonly sha256: string;
  readonly pieceBytes: number;
  readonly pieceSha256: readonly string[];
}

export const artefactNames = [
  'image.raw',
  'image.qcow2',
  'image.qcow2.gz',
  'image.qcow2.zst',
  'image.qcow2.xz',
  'image.qcow2.bz2',
  'small.qcow2',
] as const;
export type ArtefactName = (typeof artefactNames)[number];

/** The unit in which zeros are left out, by Millrace and by most who do. */
const zeroBlockBytes = 64 * 1024;
const zeros = Buffer.alloc(zeroBlockBytes);

/**
 * Reads the files, and with that brings them into the page cache.
 * @throws Error when a file is not the one that was described at an earlier run: figures would not be comparable
 */
export async function describeArtefacts(
  directory: string,
  pieceBytes: number,
): Promise<Readonly<Record<ArtefactName, Artefact>>> {
  const manifest = join(directory, 'SHA256SUMS');
  const known = await readFile(manifest, 'utf8').catch((error: unknown) => {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  });
  const artefacts: Artefact[] = [];
  for (const name of artefactNames) artefacts.push(await describe(directory, name, pieceBytes));
  const sums = artefacts.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join('');
  if (known !== undefined && known !== sums) {
    throw new Error(`the files in ${directory} are not those of ${manifest}: remove the directory`);
  }
  await writeFile(manifest, sums);
  return Object.fromEntries(artefacts.map((artefact) => [artefact.name, artefact])) as Record<
    ArtefactName,
    Artefact
  >;
}

async function describe(directory: string, name: string, pieceBytes: number): Promise<Artefact> {
  const path = join(directory, name);
  const whole = createHash('sha256');
  const pieceSha256: string[] = [];
  let dataBytes = 0;
  await using file = await open(path);
  for await (const piece of portionsOf(file, pieceBytes)) {
    whole.update(piece);
    pieceSha256.push(createHash('sha256').update(piece).digest('hex'));
    for (let at = 0; at < piece.length; at += zeroBlockBytes) {
      const block = piece.subarray(at, at + zeroBlockBytes);
      if (!block.equals(zeros.subarray(0, block.length))) dataBytes += block.length;
    }
  }
  const { size: bytes } = await stat(path);
  return { name, path, bytes, dataBytes, sha256: whole.digest('hex'), pieceBytes, pieceSha256 };
}

/** The file in portions of one size, the last one shorter. The buffer is the same each time. */
export async function* portionsOf(file: FileHandle, bytes: number): AsyncGenerator<Buffer> {
  const buffer = Buffer.alloc(bytes);
  for (let at = 0; ; ) {
    let filled = 0;
    while (filled < bytes) {
      const { bytesRead } = await file.read(buffer, filled, bytes - filled, at + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    if (filled > 0) yield buffer.subarray(0, filled);
    if (filled < bytes) return;
    at += filled;
  }
}

/** Reads a file, so that it is in the page cache. */
export async function warm(path: string): Promise<void> {
  await using file = await open(path);
  for await (const _ of portionsOf(file, 4 * 1024 * 1024));
}

/**
 * Whether a file has the bytes it should have.
 * @param stride 1 compares everything, 16 the first of each sixteen MiB, and the end
 */
export async function hasBytesOf(path: string, expected: string, stride: number): Promise<boolean> {
  await using file = await open(path);
  await using model = await open(expected);
  const { size } = await model.stat();
  if ((await file.stat()).size !== size) return false;
  const step = 1024 * 1024;
  const [ours, theirs] = [Buffer.alloc(step), Buffer.alloc(step)];
  for (let at = 0; at < size; at += step) {
    if ((at / step) % stride !== 0 && at + step < size) continue;
    const read = await file.read(ours, 0, step, at);
    const right = await model.read(theirs, 0, step, at);
    if (read.bytesRead !== right.bytesRead) return false;
    if (!ours.subarray(0, read.bytesRead).equals(theirs.subarray(0, right.bytesRead))) return false;
  }
  return true;
}
