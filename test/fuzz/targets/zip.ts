import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import { unpackZip } from '../../../packages/image/src/decode/unpack-zip.ts';
import { type ZipMember, zipFile } from '../../../packages/image/src/testing/zip-fixture.ts';
import { answerOf } from '../answer.ts';
import type { FuzzTarget } from '../target.ts';
import { unpackBounded } from '../unpack.ts';

const content = Buffer.from('content '.repeat(20));
const directory: ZipMember = { name: 'd/', content: Buffer.alloc(0), method: 0, unixMode: 0o040755 };
const members: readonly (readonly ZipMember[])[] = [
  [{ content }],
  [{ content, method: 0 }],
  [{ content, descriptor: 'narrow' }],
  [{ content, descriptor: 'bare-wide' }],
  [{ content, zip64: true }],
  [directory, { content, name: 'd/a' }, { ...directory, name: 'e/', descriptor: 'wide' }],
];

export const target: FuzzTarget = {
  name: 'zip',
  seeds: () => [
    ...members.map((some) => zipFile({ members: some })),
    zipFile({ members: [{ content, zip64: true }], zip64End: true, comment: 'a comment' }),
  ],
  run: (bytes) =>
    answerOf(async () => {
      const unpacked = await unpackBounded(unpackZip, bytes);
      // the checksum stands in the directory at the end, whatever a header or a descriptor says
      const sum = Buffer.alloc(4);
      sum.writeUInt32LE(crc32(unpacked));
      assert.ok(bytes.indexOf(sum, bytes.indexOf('PK\x01\x02')) > 0, 'another checksum');
      assert.ok(bytes.includes('PK\x05\x06'), 'no end');
      return `accepted ${unpacked.equals(content)}`;
    }),
};
