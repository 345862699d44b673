import assert from 'node:assert/strict';
import { judgeVmdk } from '../../../packages/image/src/inspect/judge-vmdk.ts';
import { vmdkDescriptor, vmdkFile } from '../../../packages/image/src/testing/vmdk-fixture.ts';
import { answerOf } from '../answer.ts';
import type { FuzzTarget } from '../target.ts';
import { gather, type Layout, layOut } from '../windows.ts';

const sector = 512;
const mostBytes = 2 ** 40;
const { signal } = new AbortController();
/** Header and descriptor, directory and table, the first grain's marker, the footer. */
const layout: Layout = {
  sizeBytes: 259 * sector,
  windows: [
    [0, 2 * sector],
    [21 * sector, 16],
    [22 * sector, 32],
    [128 * sector, 16],
    [256 * sector, 3 * sector],
  ],
};
const stream = { descriptor: vmdkDescriptor({ createType: '"streamOptimized"' }), footer: {} };

export const target: FuzzTarget = {
  name: 'vmdk',
  seeds: () =>
    [
      {},
      stream,
      { ...stream, version: 3, flags: 0x30001, compression: 1 },
      { flags: 3, redundantDirectory: 21n },
    ].map((fields) => gather(vmdkFile(fields), layout, false)),
  run: (bytes) =>
    answerOf(async () => {
      const image = layOut(bytes, layout);
      const size = await judgeVmdk(image, mostBytes, signal);
      assert.ok(size > 0 && size <= mostBytes);
      const head = await image.read(0, 11_000);
      assert.notEqual(
        head.readBigUInt64LE(12),
        0n,
        'no capacity: the extents of the descriptor would be opened',
      );
      const text = head.toString('latin1', sector, 2 * sector).split('\0')[0]!;
      assert.doesNotMatch(head.toString('latin1', sector), /parentFileNameHint/i);
      assert.doesNotMatch(text, /^\s*(RW|RDONLY|NOACCESS)\s+\d+\s+(?!SPARSE|\s)/m);
      return `accepted ${head.readUInt32LE(4)} ${head.readUInt32LE(8)}`;
    }),
};
