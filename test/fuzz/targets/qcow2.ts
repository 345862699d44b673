import assert from 'node:assert/strict';
import { headBytes } from '../../../packages/image/src/inspect/inspect-image.ts';
import { judgeQcow2Header } from '../../../packages/image/src/inspect/qcow2-header.ts';
import { checkQcow2Tables } from '../../../packages/image/src/inspect/qcow2-tables.ts';
import { qcow2File } from '../../../packages/image/src/testing/qcow2-fixture.ts';
import { answerOf } from '../answer.ts';
import type { FuzzTarget } from '../target.ts';
import { gather, type Layout, layOut } from '../windows.ts';

const cluster = 65_536;
const mostBytes = 2 ** 40;
const { signal } = new AbortController();
/** Header and extensions, the L1 table, an L2 table. */
const layout: Layout = {
  sizeBytes: 6 * cluster,
  windows: [
    [0, 400],
    [3 * cluster, 32],
    [4 * cluster, 64],
  ],
};

export const target: FuzzTarget = {
  name: 'qcow2',
  seeds: () =>
    [
      { l1: [(1n << 63n) | BigInt(4 * cluster)] },
      { version: 2 },
      { incompatible: 8n, compressionType: 1, extensions: [{ type: 0x6803f857, data: Buffer.alloc(48, 1) }] },
    ].map((fields) => gather(qcow2File({ clusters: 6, ...fields }), layout, false)),
  run: (bytes) =>
    answerOf(async () => {
      const image = layOut(bytes, layout);
      const head = await image.read(0, headBytes);
      const header = judgeQcow2Header(head, mostBytes);
      assert.ok(header.virtualSizeBytes > 0 && header.virtualSizeBytes <= mostBytes);
      assert.equal(head.readBigUInt64BE(8), 0n, 'a backing file');
      if (header.version === 3) assert.equal(head.readBigUInt64BE(72) & ~0b1001n, 0n, 'a feature');
      await checkQcow2Tables(header, image.sizeBytes, image.read, signal);
      return `accepted ${header.version} ${header.clusterBits}`;
    }),
};
