import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { findConfinement } from '../confine/confinement.ts';
import { FetchFault } from '../errors.ts';
import { decodeAll, faultOf } from '../testing/decode.ts';
import { pack } from '../testing/pack.ts';
import type { ProgramCompression } from './end-check.ts';
import { decodeThroughProgram } from './program-decoder.ts';
import { type UnpackProgram, unpackProgramsFor } from './programs.ts';
import type { Decoder } from './stage.ts';

/** Needs igzip (isal), zstd, xz, lbzip2 and bzip2, as `corePackages` installs them. */

const { signal } = new AbortController();
const confinement = await findConfinement(signal);
const content = randomBytes(3000);
const other = randomBytes(2000);

const through =
  (compression: ProgramCompression, programs: readonly UnpackProgram[]): Decoder =>
  (input, options) =>
    decodeThroughProgram(compression, programs, input, { ...options, confinement });

const packed: Readonly<Record<ProgramCompression, (bytes: Buffer) => Promise<Buffer>>> = {
  gzip: async (bytes) => gzipSync(bytes),
  zstd: async (bytes) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
  xz: (bytes) => pack('xz', bytes),
  bzip2: (bytes) => pack('bzip2', bytes),
};
const programs: readonly (readonly [ProgramCompression, UnpackProgram])[] = (
  ['gzip', 'zstd', 'xz', 'bzip2'] as const
).flatMap((compression) =>
  unpackProgramsFor(compression, false).map((program) => [compression, program] as const),
);

/** What follows a file, each of which some program passes over in silence, or unpacks too. */
async function followers(): Promise<readonly (readonly [string, Buffer])[]> {
  const bzip2 = await packed.bzip2(other);
  return [
    ['a byte', Buffer.from('x')],
    ['text', Buffer.from('trailing text that is longer than any header')],
    ['a gzip file', gzipSync(other)],
    ['an xz file', await packed.xz(other)],
    ['a bzip2 file', bzip2],
    ['the end of a bzip2 file', bzip2.subarray(bzip2.length / 2)],
    ['a zstd file', await packed.zstd(other)],
    ['the beginning of a gzip file', gzipSync(other).subarray(0, 9)],
    ['one letter of a bzip2 file', Buffer.from('B')],
    ['zeros and a byte', Buffer.from('\0\0\0\0\0\0\0\0x')],
    ['more than a pipe holds', randomBytes(300_000)],
  ];
}

for (const [compression, program] of programs) {
  const decoder = through(compression, [program]);

  test(`${program.name}: whatever follows an archive is noticed, but another of the same kind is unpacked`, async () => {
    const file = await packed[compression](content);
    assert.ok((await decodeAll(decoder, file)).equals(content));
    for (const [what, bytes] of await followers()) {
      const both = Buffer.concat([file, bytes]);
      if (what === `a ${compression} file` || what === `an ${compression} file`) {
        assert.ok((await decodeAll(decoder, both)).equals(Buffer.concat([content, other])), what);
      } else await assert.rejects(decodeAll(decoder, both), faultOf('ARCHIVE_BROKEN'), what);
    }
  });

  test(`${program.name}: a file that is cut off is noticed, also in its second archive`, async () => {
    const file = await packed[compression](content.subarray(0, 40));
    const whole = Buffer.concat([file, await packed[compression](other.subarray(0, 40))]);
    for (let length = 0; length < whole.length; length += 7) {
      if (length === file.length) continue;
      await assert.rejects(
        decodeAll(decoder, whole.subarray(0, length)),
        faultOf('ARCHIVE_BROKEN'),
        `${length}`,
      );
    }
    for (const length of [file.length - 1, file.length + 1, whole.length - 1]) {
      await assert.rejects(
        decodeAll(decoder, whole.subarray(0, length)),
        faultOf('ARCHIVE_BROKEN'),
        `${length}`,
      );
    }
  });

  test(`${program.name}: no flipped bit changes what comes out`, async () => {
    const file = await packed[compression](content.subarray(0, 200));
    for (let bit = 0; bit < file.length * 8; bit += 67) {
      const flipped = Buffer.from(file);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      try {
        // some bits say nothing of the content: dates, padding
        assert.ok((await decodeAll(decoder, flipped)).equals(content.subarray(0, 200)), `bit ${bit}`);
      } catch (error) {
        assert.ok(error instanceof FetchFault && error.code === 'ARCHIVE_BROKEN', String(error));
      }
    }
  });

  test(`${program.name}: a bomb comes out in pieces, so that whoever counts them can stop`, async () => {
    const bomb = await packed[compression](Buffer.alloc(30_000_000));
    let bytes = 0;
    for await (const chunk of decoder(
      (async function* () {
        yield bomb;
      })(),
      { signal },
    )) {
      bytes += chunk.length;
      assert.ok(chunk.length <= 1024 * 1024);
      if (bytes > 2_000_000) break;
    }
    assert.ok(bytes > 2_000_000 && bytes < 4_000_000);
  });
}
