import { FetchFault } from '../errors.ts';
import { type BoundedImage, headerInvalid } from './bounded-image.ts';
import { guid, guidBytes } from './guid.ts';

/** [MS-VHDX] 2.6 */
const tableBytes = 64 * 1024;
const mostEntries = 2047;
const entryBytes = 32;
const flagRequired = 1 << 2;
const hasParent = 1 << 1;

const itemIds = {
  fileParameters: guid('CAA16737-FA36-4D43-B3B6-33F0AA44E76B'),
  virtualSize: guid('2FA54224-CD1B-4876-B211-5DBED83BF4B8'),
  page83: guid('BECA12AB-B2E6-4523-93EF-C309E000C746'),
  logicalSector: guid('8141BF1D-A96F-4709-BA47-F233A8FAAB5F'),
  physicalSector: guid('CDA348C7-445D-4471-9CC9-E9885251C556'),
  parentLocator: guid('A8D35F2D-B30B-454D-ABF7-D3D84834AB0C'),
};
const knownIds: readonly string[] = Object.values(itemIds);

export interface VhdxMetadata {
  readonly virtualSize: bigint;
  readonly blockBytes: number;
  readonly sectorBytes: number;
}

/**
 * Reads and judges the metadata: no parent, and nothing required that is not known here.
 * @throws FetchFault with the reason of the refusal
 */
export async function readVhdxMetadata(
  image: BoundedImage,
  region: { readonly offset: number; readonly bytes: number },
): Promise<VhdxMetadata> {
  if (region.bytes < tableBytes) throw headerInvalid(`metadata of ${region.bytes} bytes`);
  const table = await image.read(region.offset, tableBytes, 'the metadata');
  if (table.toString('latin1', 0, 8) !== 'metadata') throw headerInvalid('no metadata');
  const entries = table.readUInt16LE(10);
  if (entries > mostEntries) throw headerInvalid(`${entries} items of metadata`);
  const places = new Map<string, { readonly offset: number; readonly bytes: number }>();
  for (let at = entryBytes; at < entryBytes * (1 + entries); at += entryBytes) {
    const id = table.toString('hex', at, at + guidBytes);
    if (id === itemIds.parentLocator) throw new FetchFault('IMAGE_BACKING_FILE', 'a parent is named');
    if (!knownIds.includes(id)) {
      if (!(table.readUInt32LE(at + 24) & flagRequired)) continue;
      throw new FetchFault('IMAGE_FEATURE_UNKNOWN', `VHDX metadata ${id}`);
    }
    if (places.has(id)) throw headerInvalid('an item of metadata twice');
    places.set(id, { offset: table.readUInt32LE(at + 16), bytes: table.readUInt32LE(at + 20) });
  }
  const item = (id: string, bytes: number, what: string): Promise<Buffer> => {
    const place = places.get(id);
    if (!place || place.bytes !== bytes) throw headerInvalid(`${what} is missing or of a wrong length`);
    if (place.offset < tableBytes || place.offset + bytes > region.bytes) {
      throw headerInvalid(`${what} is outside of the metadata`);
    }
    return image.read(region.offset + place.offset, bytes, what);
  };
  const parameters = await item(itemIds.fileParameters, 8, 'the size of a block');
  if (parameters.readUInt32LE(4) & hasParent)
    throw new FetchFault('IMAGE_BACKING_FILE', 'a differencing VHDX');
  const virtualSize = (await item(itemIds.virtualSize, 8, 'the virtual size')).readBigUInt64LE();
  const sectorBytes = (await item(itemIds.logicalSector, 4, 'the size of a sector')).readUInt32LE();
  if (sectorBytes !== 512 && sectorBytes !== 4096) throw headerInvalid(`sectors of ${sectorBytes} bytes`);
  return { virtualSize, blockBytes: parameters.readUInt32LE(0), sectorBytes };
}
