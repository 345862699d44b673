import { FetchFault } from '../errors.ts';
import { type BoundedImage, boundedImage, headerInvalid } from './bounded-image.ts';
import type { ReadAt } from './qcow2-tables.ts';
import {
  entriesPerTable,
  judgeVmdkHead,
  judgeVmdkSector,
  type VmdkHeader,
  vmdkSectorBytes,
} from './vmdk-header.ts';

const headBytes = 64 * 1024;
/** A bound on the work a hostile image can cause: enough for 2 TiB in grains of 64 KiB. */
const mostTablesRead = 65_536;
const directoryPartBytes = 64 * 1024;
/** Entries 0 and 1 say that there is no data: never written, and written as zeros. */
const firstRealEntry = 2;

/**
 * Judges a whole VMDK: header, descriptor, footer, and that every grain begins within the file, as QEMU reads zeros behind
 * its end without complaint.
 * @returns its virtual size in bytes
 * @throws FetchFault with the reason of the refusal
 */
export async function judgeVmdk(
  file: { readonly sizeBytes: number; readonly read: ReadAt },
  maxVirtualSizeBytes: number,
  signal: AbortSignal,
): Promise<number> {
  const image = boundedImage(file);
  const head = await file.read(0, Math.min(headBytes, file.sizeBytes));
  const header = judgeVmdkHead(head, maxVirtualSizeBytes);
  image.within(0, header.overheadBytes, 'the data');
  const directories =
    header.directoryOffset === undefined
      ? await directoriesOfFooter(image, header, maxVirtualSizeBytes)
      : [header.directoryOffset, header.redundantDirectoryOffset];
  let last = 0;
  for (const offset of directories) {
    if (offset !== undefined) last = Math.max(last, await lastGrain(image, header, offset, signal));
  }
  if (last > 0 && header.markers) {
    const marker = await image.read(last, 12, 'the last grain');
    image.within(last, 12 + marker.readUInt32LE(8), 'the last grain');
  }
  return header.virtualSizeBytes;
}

/**
 * The end of a stream-optimised file: a marker of its footer, the footer (a header that knows where the directory is), a
 * marker of the end, one sector each.
 */
async function directoriesOfFooter(
  image: BoundedImage,
  header: VmdkHeader,
  maxVirtualSizeBytes: number,
): Promise<(number | undefined)[]> {
  if (image.sizeBytes % vmdkSectorBytes !== 0)
    throw new FetchFault('IMAGE_TRUNCATED', 'half a sector at the end');
  const end = await image.read(image.sizeBytes - 3 * vmdkSectorBytes, 3 * vmdkSectorBytes, 'the footer');
  const marker = (at: number) => [end.readUInt32LE(at + 8), end.readUInt32LE(at + 12)];
  const isEnd = end.readBigUInt64LE(2 * vmdkSectorBytes) === 0n && `${marker(2 * vmdkSectorBytes)}` === '0,0';
  if (`${marker(0)}` !== '0,3' || !isEnd)
    throw new FetchFault('IMAGE_TRUNCATED', 'there is no footer at its end');
  const footer = judgeVmdkSector(end.subarray(vmdkSectorBytes, 2 * vmdkSectorBytes), maxVirtualSizeBytes);
  if (
    footer.directoryOffset === undefined ||
    footer.virtualSizeBytes !== header.virtualSizeBytes ||
    footer.grainBytes !== header.grainBytes ||
    footer.markers !== header.markers
  ) {
    throw headerInvalid('a footer that says something else than the header');
  }
  image.within(0, footer.overheadBytes, 'the data');
  return [footer.directoryOffset, footer.redundantDirectoryOffset];
}

/** Follows a directory and its tables. @returns where the grain begins that is the farthest behind; 0: there is none */
async function lastGrain(
  image: BoundedImage,
  header: VmdkHeader,
  directoryOffset: number,
  signal: AbortSignal,
): Promise<number> {
  const directoryBytes = header.tables * 4;
  image.within(directoryOffset, directoryBytes, 'the directory');
  const tableBytes = entriesPerTable * 4;
  const tables = new Set<number>();
  for (let at = 0; at < directoryBytes; at += directoryPartBytes) {
    signal.throwIfAborted();
    const length = Math.min(directoryPartBytes, directoryBytes - at);
    const part = await image.read(directoryOffset + at, length, 'the directory');
    for (let entry = 0; entry < length; entry += 4) {
      const offset = part.readUInt32LE(entry) * vmdkSectorBytes;
      if (offset === 0) continue;
      image.within(offset, tableBytes, 'a grain table');
      if (tables.size < mostTablesRead) tables.add(offset);
    }
  }
  let last = 0;
  for (const offset of tables) {
    signal.throwIfAborted();
    const table = await image.read(offset, tableBytes, 'a grain table');
    for (let at = 0; at < tableBytes; at += 4) {
      const grain = table.readUInt32LE(at);
      if (grain >= firstRealEntry) last = Math.max(last, grain * vmdkSectorBytes);
    }
  }
  if (last > 0) image.within(last, vmdkSectorBytes, 'a grain');
  return last;
}
