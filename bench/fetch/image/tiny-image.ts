import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { runProgram } from '@millrace/core';

const build = fileURLToPath(new URL('build.sh', import.meta.url));
const portionBytes = 64 * 1024;

/**
 * Makes an image of a few MiB with all that is made of the large one: noise, text that can be packed, and zeros, the same
 * in every run.
 */
export async function buildTinyImage(directory: string, bytes: number, signal: AbortSignal): Promise<void> {
  const image = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += portionBytes) {
    const kind = (at / portionBytes) % 4;
    if (kind < 2) fillWithNoise(image.subarray(at, at + portionBytes), at);
    if (kind === 2) image.fill(`the ${at} times repeated line\n`, at, at + portionBytes);
  }
  await mkdir(directory, { recursive: true });
  await writeFile(`${directory}/image.raw`, image);
  await runProgram('sh', [build, directory], { signal });
}

function fillWithNoise(portion: Buffer, seed: number): void {
  for (let at = 0; at < portion.length; at += 64) {
    createHash('sha512').update(`${seed}:${at}`).digest().copy(portion, at);
  }
}
