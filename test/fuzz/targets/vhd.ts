import assert from 'node:assert/strict';
import { judgeVhd } from '../../../packages/image/src/inspect/judge-vhd.ts';
import { dynamicVhd, fixedVhd } from '../../../packages/image/src/testing/vhd-fixture.ts';
import { answerOf } from '../answer.ts';
import type { FuzzTarget } from '../target.ts';
import { gather, type Layout, layOut } from '../windows.ts';

const sector = 512;
const mostBytes = 2 ** 40;
const { signal } = new AbortController();
const dynamicBytes = dynamicVhd().length;
/** The footer's copy, the dynamic header, the block table, the footer. */
const layout: Layout = {
  sizeBytes: dynamicBytes,
  windows: [
    [0, sector],
    [sector, 1024],
    [3 * sector, 16],
    [dynamicBytes - sector, sector],
  ],
};
const fixedLayout: Layout = {
  sizeBytes: fixedVhd().length,
  windows: [
    [0, 8],
    [fixedVhd().length - sector, sector],
  ],
};
const fixedOption = 2;

export const target: FuzzTarget = {
  name: 'vhd',
  seeds: () => {
    const fixed = gather(fixedVhd(), fixedLayout, true);
    fixed[0]! |= fixedOption;
    return [gather(dynamicVhd(), layout, true), gather(dynamicVhd(), layout, false), fixed];
  },
  run: (bytes) =>
    answerOf(async () => {
      const isFixed = ((bytes[0] ?? 0) & fixedOption) !== 0;
      const image = layOut(bytes, isFixed ? fixedLayout : layout);
      const footer = image.windows.at(-1)!;
      if (image.repair) {
        repair(footer, 64);
        if (!isFixed) {
          repair(image.windows[1]!, 36);
          footer.copy(image.windows[0]!);
        }
      }
      const size = await judgeVhd(image, mostBytes, signal);
      assert.ok(size > 0 && size <= mostBytes);
      assert.notEqual(footer.readUInt32BE(60), 4, 'a differencing disk');
      return `accepted ${footer.readUInt32BE(60)}`;
    }),
};

function repair(bytes: Buffer, at: number): void {
  bytes.writeUInt32BE(0, at);
  bytes.writeUInt32BE(~bytes.reduce((sum, byte) => sum + byte, 0) >>> 0, at);
}
