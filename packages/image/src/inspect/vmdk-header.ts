import { FetchFault } from '../errors.ts';
import { boundedNumber, headerInvalid, isPowerOfTwo, judgeVirtualSize } from './bounded-image.ts';
import { judgeVmdkDescriptor, type VmdkSubformat } from './vmdk-descriptor.ts';

/** What is needed of a VMDK header once it has been found harmless. Offsets and sizes in bytes. */
export interface VmdkHeader {
  readonly subformat: VmdkSubformat;
  readonly virtualSizeBytes: number;
  readonly grainBytes: number;
  /** `undefined`: the directory, and the header that tells where it is, are at the end of the file. */
  readonly directoryOffset: number | undefined;
  /** A second directory that is read, too. */
  readonly redundantDirectoryOffset: number | undefined;
  readonly tables: number;
  /** Where the data begins. */
  readonly overheadBytes: number;
  /** Data is preceded by markers that say how long it is. */
  readonly markers: boolean;
}

export const vmdkSectorBytes = 512;
export const entriesPerTable = 512;
const atTheEnd = 0xffff_ffff_ffff_ffffn;
/** A grain is the unit that is read and, when compressed, unpacked in memory; 64 KiB is what everybody uses. */
const largestGrainSectors = 4096;
const largestDescriptorSectors = 128;
/** Where QEMU looks for the name of a parent, whatever the header says of the descriptor. */
const parentHintAt = 512;
const parentHintBytes = 20 * 512;

const flag = {
  newlineTest: 1 << 0,
  redundantDirectory: 1 << 1,
  zeroGrains: 1 << 2,
  compressed: 1 << 16,
  markers: 1 << 17,
} as const;
const knownFlags = Object.values(flag).reduce((all, one) => all | one, 0);

/**
 * Judges header and descriptor of a hosted sparse extent, as of VMware's "Virtual Disk Format 5.0": only the two kinds of
 * VMDK that are one file and refer to no other (after CVE-2022-47951 and CVE-2024-32498).
 * @param head the first bytes of the file; all of it when it is shorter than 64 KiB
 * @throws FetchFault with the reason of the refusal
 */
export function judgeVmdkHead(head: Buffer, maxVirtualSizeBytes: number): VmdkHeader {
  if (head.length < vmdkSectorBytes) throw headerInvalid('no VMDK header');
  const header = judgeVmdkSector(head.subarray(0, vmdkSectorBytes), maxVirtualSizeBytes);
  // a program that goes by a fixed place and one that goes by the header must read the same descriptor
  if (head.readBigUInt64LE(28) !== 1n) throw headerInvalid('a descriptor that is not in the second sector');
  const descriptorSectors = boundedNumber(head.readBigUInt64LE(36), 'a descriptor');
  if (descriptorSectors === 0 || descriptorSectors > largestDescriptorSectors) {
    throw headerInvalid(`a descriptor of ${descriptorSectors} sectors`);
  }
  const descriptorEnd = vmdkSectorBytes * (1 + descriptorSectors);
  if (descriptorEnd > head.length || descriptorEnd > header.overheadBytes) {
    throw headerInvalid('a descriptor that reaches into the data');
  }
  const hints = head.toString('latin1', parentHintAt, parentHintAt + parentHintBytes);
  if (/parentFileNameHint/i.test(hints)) throw new FetchFault('IMAGE_BACKING_FILE', 'a parent is named');
  const subformat = judgeVmdkDescriptor(
    head.subarray(vmdkSectorBytes, descriptorEnd),
    header.virtualSizeBytes / vmdkSectorBytes,
  );
  return { ...header, subformat };
}

/** Judges the sector of the header, of which a stream-optimised file has a second one near its end. */
export function judgeVmdkSector(sector: Buffer, maxVirtualSizeBytes: number): Omit<VmdkHeader, 'subformat'> {
  if (sector.toString('latin1', 0, 4) !== 'KDMV') throw headerInvalid('no VMDK header');
  const version = sector.readUInt32LE(4);
  if (version < 1 || version > 3) throw headerInvalid(`VMDK version ${version}, only 1 to 3 are known`);
  const flags = sector.readUInt32LE(8);
  if (flags & ~knownFlags) throw new FetchFault('IMAGE_FEATURE_UNKNOWN', `VMDK flags ${flags.toString(16)}`);
  if (flags & flag.newlineTest && sector.toString('latin1', 73, 77) !== '\n \r\n') {
    throw headerInvalid('it was transferred as text');
  }
  const compression = sector.readUInt16LE(77);
  if (compression > 1) throw new FetchFault('IMAGE_FEATURE_UNKNOWN', `VMDK compression ${compression}`);
  const capacity = sector.readBigUInt64LE(12);
  const virtualSizeBytes = judgeVirtualSize(capacity * BigInt(vmdkSectorBytes), maxVirtualSizeBytes);
  const grainSectors = boundedNumber(sector.readBigUInt64LE(20), 'a grain');
  if (!isPowerOfTwo(grainSectors) || grainSectors < 8 || grainSectors > largestGrainSectors) {
    throw headerInvalid(`grains of ${grainSectors} sectors`);
  }
  if (sector.readUInt32LE(44) !== entriesPerTable) {
    throw headerInvalid(`grain tables of ${sector.readUInt32LE(44)} entries`);
  }
  const grainBytes = grainSectors * vmdkSectorBytes;
  const directory = sector.readBigUInt64LE(56);
  return {
    virtualSizeBytes,
    grainBytes,
    directoryOffset: directory === atTheEnd ? undefined : bytesOf(directory, 'a directory'),
    redundantDirectoryOffset:
      flags & flag.redundantDirectory ? bytesOf(sector.readBigUInt64LE(48), 'a directory') : undefined,
    tables: Math.ceil(virtualSizeBytes / (grainBytes * entriesPerTable)),
    overheadBytes: bytesOf(sector.readBigUInt64LE(64), 'an overhead'),
    markers: (flags & flag.markers) !== 0,
  };
}

function bytesOf(sectors: bigint, what: string): number {
  return boundedNumber(sectors * BigInt(vmdkSectorBytes), what);
}
