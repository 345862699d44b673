import assert from 'node:assert/strict';
import { crc32cWithout } from '../../../packages/image/src/inspect/crc32c.ts';
import { judgeVhdx } from '../../../packages/image/src/inspect/judge-vhdx.ts';
import { vhdxFile, vhdxItems, vhdxRegions } from '../../../packages/image/src/testing/vhdx-fixture.ts';
import { answerOf } from '../answer.ts';
import type { FuzzTarget } from '../target.ts';
import { gather, type Layout, layOut } from '../windows.ts';

const kib = 1024;
const mostBytes = 2 ** 40;
const { signal } = new AbortController();
const metadata = vhdxRegions.metadata.offset;
/** The identifier, two headers, a region table (its copy is made), the metadata's table and items, the block table. */
const layout: Layout = {
  sizeBytes: vhdxFile().length,
  windows: [
    [0, 8],
    [64 * kib, 80],
    [128 * kib, 80],
    [192 * kib, 16 + 4 * 32],
    [256 * kib, 16 + 4 * 32],
    [metadata, 32 * 8],
    [metadata + 64 * kib, 64],
    [vhdxRegions.blocks.offset, 64],
  ],
};

export const target: FuzzTarget = {
  name: 'vhdx',
  seeds: () => {
    const { parameters, size, sector } = vhdxItems;
    const shapes = [{}, { headers: [{ sequence: 9n }, {}] as const }, { items: [size, sector, parameters] }];
    return [
      ...shapes.map((fields) => gather(vhdxFile(fields), layout, true)),
      gather(vhdxFile(), layout, false),
    ];
  },
  run: (bytes) =>
    answerOf(async () => {
      const image = layOut(bytes, layout);
      const [, one, two, table, copy] = image.windows as Buffer[];
      if (image.repair) {
        for (const header of [one!, two!]) repair(header, 4 * kib);
        repair(table!, 64 * kib);
        table!.copy(copy!);
      }
      const size = await judgeVhdx(image, mostBytes, signal);
      assert.ok(size > 0 && size <= mostBytes);
      assert.equal(image.windows[6]!.readUInt32LE(4) & 2, 0, 'a parent');
      return 'accepted';
    }),
};

/** The checksum is of so many bytes, of which those behind the window are zeros. */
function repair(window: Buffer, bytes: number): void {
  const whole = Buffer.alloc(bytes);
  window.copy(whole);
  window.writeUInt32LE(crc32cWithout(whole, 4), 4);
}
