import assert from 'node:assert/strict';
import { unpackTar } from '../../../packages/image/src/decode/unpack-tar.ts';
import { paxHeader, tarFile, tarMember } from '../../../packages/image/src/testing/tar-fixture.ts';
import { answerOf } from '../answer.ts';
import type { FuzzTarget } from '../target.ts';
import { unpackBounded } from '../unpack.ts';

const content = Buffer.from('disk '.repeat(120));
const block = 512;

export const target: FuzzTarget = {
  name: 'tar',
  seeds: () => [
    tarFile([{ content }]),
    tarFile([
      { name: 'a.ovf', content: Buffer.from('text') },
      { name: 'a.vmdk', content },
    ]),
    Buffer.concat([paxHeader({ path: 'b', size: '600' }), tarFile([{ content }])]),
    Buffer.concat([tarMember({ type: 'L', content: Buffer.from('long\0') }), tarFile([{ content }])]),
    tarFile([
      { name: 'd/', type: '5', content: Buffer.alloc(0) },
      { content, magic: 'ustar  \0' },
    ]),
  ],
  run: (bytes) =>
    answerOf(async () => {
      // a byte says whether checksums are put right, without which next to nothing would be reached
      if (bytes.at(-1) !== 1) repairChecksums(bytes);
      const unpacked = await unpackBounded(unpackTar, bytes);
      assert.ok(bytes.includes(unpacked), 'bytes that are not in the file');
      assert.ok(
        bytes.subarray(-block).every((byte) => byte === 0),
        'an end that is none',
      );
      return `accepted ${unpacked.equals(content)}`;
    }),
};

function repairChecksums(bytes: Buffer): void {
  for (let at = 0; at + block <= bytes.length; at += block) {
    const header = bytes.subarray(at, at + block);
    if (header.toString('latin1', 257, 262) !== 'ustar') continue;
    header.write('        ', 148, 'latin1');
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  }
}
