import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { formatChecksum } from '@millrace/core';
import { imagePathIn } from '../storage/pool.ts';
import type { Handler } from './handler.ts';

const readBytes = 1024 ** 2;

/** SHA-256 of a committed file, read back from where it is stored. */
export function makeTemplateDigest(): Handler<'template.digest'> {
  return async ({ pool, installPath }, { signal }) => {
    const hash = createHash('sha256');
    let sizeBytes = 0;
    const sum = new Writable({
      write(chunk: Buffer, _, done) {
        hash.update(chunk);
        sizeBytes += chunk.length;
        done();
      },
    });
    const path = await imagePathIn(pool, installPath);
    await pipeline(createReadStream(path, { highWaterMark: readBytes }), sum, { signal });
    return { checksum: formatChecksum({ algorithm: 'SHA-256', hex: hash.digest('hex') }), sizeBytes };
  };
}
