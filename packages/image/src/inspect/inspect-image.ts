import { FetchFault } from '../errors.ts';
import type { ForeignFormat, ImageFormat } from '../types.ts';
import {
  containerFormatOf,
  hasIsoDescriptor,
  isFixedVhdFooter,
  isoIdentifierEnd,
  looksCompressed,
  looksLikeWebPage,
} from './foreign-formats.ts';
import { foreignFormatOf, judgeForeignHead, judgeForeignImage } from './foreign-image.ts';
import { judgeQcow2Header } from './qcow2-header.ts';
import { checkQcow2Tables, type ReadAt } from './qcow2-tables.ts';

/** How many decoded bytes an inspection of the beginning wants: every header that is looked at lies within. */
export const headBytes = 64 * 1024;
/** With this many the header and the ISO descriptor are there, though not every header extension may be. */
const enoughBytes = isoIdentifierEnd;

export interface InspectionRules {
  /** `undefined`: whatever is found. */
  readonly format: ImageFormat | ForeignFormat | undefined;
  readonly maxVirtualSizeBytes: number;
}

export interface HeadFindings {
  readonly format: ImageFormat | ForeignFormat;
  /** Unknown for formats whose virtual size is the size of the file. */
  readonly virtualSizeBytes: number | undefined;
}

/**
 * Judges an image by its first bytes, after unpacking. `complete` says that they are the whole image.
 * @returns `undefined` when there are too few of them to tell
 * @throws FetchFault with the reason of the refusal
 */
export function inspectHead(
  head: Buffer,
  complete: boolean,
  rules: InspectionRules,
): HeadFindings | undefined {
  if (head.length === 0 && complete) throw new FetchFault('IMAGE_EMPTY', '');
  if (!complete && head.length < enoughBytes) return undefined;
  if (looksLikeWebPage(head)) throw new FetchFault('WEB_PAGE', '');
  const format = formatOf(head, rules.format);
  if (isForeign(format)) {
    // a VHD of fixed size shows at its end only
    const shown = foreignFormatOf(head) === format;
    const virtualSizeBytes = shown ? judgeForeignHead(format, head, rules.maxVirtualSizeBytes) : undefined;
    return { format, virtualSizeBytes };
  }
  if (format !== 'qcow2') return { format, virtualSizeBytes: undefined };
  const header = judgeQcow2Header(head, rules.maxVirtualSizeBytes);
  return { format, virtualSizeBytes: header.virtualSizeBytes };
}

/** The real format, which must be the declared one. */
function formatOf(head: Buffer, declared: InspectionRules['format']): HeadFindings['format'] {
  if (looksCompressed(head)) throw new FetchFault('IMAGE_NESTED_COMPRESSION', '');
  const container = containerFormatOf(head);
  if (container === 'qcow2' && (declared === undefined || declared === 'qcow2')) return 'qcow2';
  const foreign = foreignFormatOf(head);
  if (foreign !== undefined && (declared === undefined || declared === foreign)) return foreign;
  if (container !== undefined) {
    throw new FetchFault(
      'IMAGE_FORMAT_MISMATCH',
      `it is ${container}, declared is ${declared ?? 'qcow2, raw or iso'}`,
    );
  }
  if (declared === 'qcow2') throw new FetchFault('IMAGE_FORMAT_MISMATCH', 'it has no qcow2 header');
  if (declared === 'vmdk' || declared === 'vhdx') {
    throw new FetchFault('IMAGE_FORMAT_MISMATCH', `it has no ${declared} header`);
  }
  const iso = hasIsoDescriptor(head);
  if (declared === 'iso' && !iso) {
    throw new FetchFault('IMAGE_FORMAT_MISMATCH', 'it has no ISO 9660 volume descriptor');
  }
  return declared ?? (iso ? 'iso' : 'raw');
}

export interface ImageFindings {
  readonly format: ImageFormat | ForeignFormat;
  readonly virtualSizeBytes: number;
}

/**
 * Judges the whole image as it is about to be committed: the header anew from what was really written, then what only
 * the whole can tell.
 * @throws FetchFault with the reason of the refusal
 */
export async function inspectWhole(
  image: { readonly sizeBytes: number; read: ReadAt },
  rules: InspectionRules,
  signal: AbortSignal,
): Promise<ImageFindings> {
  const { sizeBytes } = image;
  const readAt = (position: number, length: number) => image.read(position, length);
  const head = await image.read(0, Math.min(headBytes, sizeBytes));
  const findings = inspectHead(head, true, rules);
  if (findings === undefined) throw new Error('a complete head is always judged');
  if (findings.format === 'qcow2') {
    const header = judgeQcow2Header(head, rules.maxVirtualSizeBytes);
    await checkQcow2Tables(header, sizeBytes, readAt, signal);
    return { format: 'qcow2', virtualSizeBytes: header.virtualSizeBytes };
  }
  const isFixedVhd = sizeBytes >= 512 && isFixedVhdFooter(await image.read(sizeBytes - 512, 512));
  const format = isFixedVhd && rules.format === undefined ? 'vhd' : findings.format;
  if (isForeign(format)) {
    const file = { sizeBytes, read: readAt };
    const virtualSizeBytes = await judgeForeignImage[format](file, rules.maxVirtualSizeBytes, signal);
    return { format, virtualSizeBytes };
  }
  if (isFixedVhd) {
    throw new FetchFault(
      'IMAGE_FORMAT_MISMATCH',
      `it is VHD, declared is ${rules.format ?? findings.format}`,
    );
  }
  if (sizeBytes > rules.maxVirtualSizeBytes) {
    throw new FetchFault('IMAGE_TOO_LARGE', `${sizeBytes} bytes, the limit is ${rules.maxVirtualSizeBytes}`);
  }
  return { format: findings.format, virtualSizeBytes: sizeBytes };
}

/** True for what is converted before it is stored. */
export function isForeign(format: ImageFormat | ForeignFormat): format is ForeignFormat {
  return Object.hasOwn(judgeForeignImage, format);
}
