import { detectCompression } from '../decode/compression.ts';

interface Magic {
  readonly name: string;
  readonly offset: number;
  readonly bytes: Buffer;
}

function magic(name: string, bytes: string, offset = 0): Magic {
  return { name, offset, bytes: Buffer.from(bytes, 'latin1') };
}

/** Containers a hypervisor or a tool could take a file for, whatever it was declared to be. */
const containers: readonly Magic[] = [
  magic('qcow2', 'QFI\xfb'),
  magic('QED', 'QED\0'),
  magic('VMDK', 'KDMV'),
  magic('VMDK', 'COWD'),
  magic('VMDK', '# Disk DescriptorFile'),
  magic('VHD', 'conectix'),
  magic('VHDX', 'vhdxfile'),
  magic('VDI', '\x7f\x10\xda\xbe', 64),
  magic('LUKS', 'LUKS\xba\xbe'),
  magic('Parallels', 'WithoutFreeSpace'),
  magic('Parallels', 'WithouFreSpacExt'),
];

/** The container format whose magic the first bytes carry; `undefined` for none, which is what a raw image has. */
export function containerFormatOf(head: Buffer): string | undefined {
  return containers.find(({ offset, bytes }) => head.subarray(offset, offset + bytes.length).equals(bytes))
    ?.name;
}

/** True for the footer of a VHD of fixed size, which has no magic at its beginning. */
export function isFixedVhdFooter(lastSector: Buffer): boolean {
  return lastSector.subarray(0, 8).toString('latin1') === 'conectix';
}

/** True when the first bytes are those of a compressed file or of an archive. */
export function looksCompressed(head: Buffer): boolean {
  return detectCompression(head) !== 'none';
}

/** ISO 9660: the identifier of the first volume descriptor, in sector 16. */
export const isoIdentifierEnd = 16 * 2048 + 1 + 5;

export function hasIsoDescriptor(head: Buffer): boolean {
  return head.subarray(isoIdentifierEnd - 5, isoIdentifierEnd).toString('latin1') === 'CD001';
}

/** True for HTML, which servers send with status 200 when a login or a portal is in the way. */
export function looksLikeWebPage(head: Buffer): boolean {
  return /^(\xef\xbb\xbf)?\s*(<!doctype\s+html|<html[\s>])/i.test(head.subarray(0, 512).toString('latin1'));
}
