import type { ForeignFormat } from '../types.ts';
import { judgeVhd, judgeVhdFooter } from './judge-vhd.ts';
import { judgeVhdx } from './judge-vhdx.ts';
import { judgeVmdk } from './judge-vmdk.ts';
import type { ReadAt } from './qcow2-tables.ts';
import { judgeVmdkHead } from './vmdk-header.ts';

/**
 * Judges a whole image of another format than those that are stored, before any other program sees it.
 * @returns its virtual size in bytes
 * @throws FetchFault with the reason of the refusal
 */
export const judgeForeignImage: Readonly<
  Record<
    ForeignFormat,
    (
      file: { readonly sizeBytes: number; readonly read: ReadAt },
      maxVirtualSizeBytes: number,
      signal: AbortSignal,
    ) => Promise<number>
  >
> = { vmdk: judgeVmdk, vhd: judgeVhd, vhdx: judgeVhdx };

/**
 * The format that the first bytes show, if it is one that can be converted. A VHD of fixed size shows at its end only, and
 * is a raw image up to there. Texts that describe a VMDK in other files are none.
 */
export function foreignFormatOf(head: Buffer): ForeignFormat | undefined {
  if (head.toString('latin1', 0, 4) === 'KDMV') return 'vmdk';
  const eight = head.toString('latin1', 0, 8);
  if (eight === 'conectix') return 'vhd';
  return eight === 'vhdxfile' ? 'vhdx' : undefined;
}

/**
 * Judges what the first bytes tell, so that an image which is going to be refused costs 64 KiB.
 * @param head 64 KiB, or the whole file when that is shorter
 * @returns the virtual size in bytes, `undefined` when it stands farther behind
 * @throws FetchFault with the reason of the refusal
 */
export function judgeForeignHead(
  format: ForeignFormat,
  head: Buffer,
  maxVirtualSizeBytes: number,
): number | undefined {
  if (format === 'vmdk') return judgeVmdkHead(head, maxVirtualSizeBytes).virtualSizeBytes;
  if (format === 'vhd') return judgeVhdFooter(head, maxVirtualSizeBytes).virtualSizeBytes;
  return undefined;
}
