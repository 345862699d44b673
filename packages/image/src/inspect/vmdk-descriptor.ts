import { FetchFault } from '../errors.ts';
import { headerInvalid } from './bounded-image.ts';

export type VmdkSubformat = 'monolithicSparse' | 'streamOptimized';

const subformats: readonly string[] = ['monolithicSparse', 'streamOptimized'] satisfies VmdkSubformat[];
const noParent = 'ffffffff';
/**
 * QEMU writes a new content ID (1 to 8 hex digits) over the old one and moves the text behind it up, so that of one image
 * in sixteen the end of the old text is left behind the NUL (block/vmdk.c, vmdk_write_cid). So few bytes hold no setting.
 */
const leftoverBytes = 7;

/**
 * Judges the text that is embedded in a VMDK: its kind, its parent and its extents. It must describe the file it is in and
 * nothing else. The name in it is that of the day it was written; what counts is that there is one, that it is a plain
 * name, and that no directory is in it.
 * @param bytes the sectors of the descriptor, filled up with zeros
 * @throws FetchFault with the reason of the refusal
 */
export function judgeVmdkDescriptor(bytes: Buffer, capacitySectors: number): VmdkSubformat {
  const nul = bytes.indexOf(0);
  const text = bytes.toString('latin1', 0, nul === -1 ? bytes.length : nul);
  // what a program that does not stop at the first NUL would see
  if (nul !== -1 && bytes.subarray(nul + 1 + leftoverBytes).some((byte) => byte !== 0)) {
    throw headerInvalid('something is hidden behind the descriptor');
  }
  if (!text.startsWith('# Disk DescriptorFile')) throw headerInvalid('no descriptor in it');
  const settings = new Map<string, string>();
  const extents: string[] = [];
  for (const line of text.split(/[\r\n]+/).map((one) => one.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const setting = /^([\w.]+)\s*=\s*"?([^"]*)"?$/.exec(line);
    if (setting) {
      const key = setting[1]!.toLowerCase();
      // of two, one program would take the first and another the last
      if (settings.has(key)) throw headerInvalid(`${JSON.stringify(key)} is set twice`);
      settings.set(key, setting[2]!);
    } else extents.push(line);
  }
  judgeParent(settings);
  const createType = settings.get('createtype') ?? '';
  if (!subformats.includes(createType)) {
    throw new FetchFault(
      'IMAGE_DATA_FILE',
      `VMDK of type ${JSON.stringify(createType.slice(0, 40))}, only ${subformats.join(' and ')} are one file`,
    );
  }
  judgeExtents(extents, capacitySectors);
  return createType as VmdkSubformat;
}

function judgeParent(settings: ReadonlyMap<string, string>): void {
  if (settings.has('parentfilenamehint')) throw new FetchFault('IMAGE_BACKING_FILE', 'a parent is named');
  if (settings.get('parentcid')?.toLowerCase() !== noParent) {
    throw new FetchFault('IMAGE_BACKING_FILE', 'parentCID is not ffffffff');
  }
  for (const key of settings.keys()) {
    if (/^(encryption|keysafe)/.test(key)) throw new FetchFault('IMAGE_ENCRYPTED', '');
  }
}

function judgeExtents(extents: readonly string[], capacitySectors: number): void {
  if (extents.length !== 1) {
    throw new FetchFault('IMAGE_DATA_FILE', `${extents.length} extents where one is expected`);
  }
  const line = extents[0]!;
  const extent = /^(?:RW|RDONLY)\s+(\d+)\s+SPARSE\s+"([^"]*)"$/.exec(line);
  if (!extent) {
    throw new FetchFault('IMAGE_DATA_FILE', `an extent elsewhere: ${JSON.stringify(line.slice(0, 80))}`);
  }
  const [, sectors, name] = extent;
  if (name === '' || name === '.' || name === '..' || /[/\\:\0]/.test(name!)) {
    throw new FetchFault('IMAGE_DATA_FILE', `an extent elsewhere: ${JSON.stringify(name!.slice(0, 80))}`);
  }
  if (Number(sectors) !== capacitySectors) {
    throw headerInvalid(`an extent of ${sectors} sectors, the header says ${capacitySectors}`);
  }
}
