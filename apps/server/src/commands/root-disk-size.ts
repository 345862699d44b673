import { invalidParameter } from '@millrace/api';

const gib = 1024 ** 3;
const mostGb = 65_536;

/**
 * The wanted size of a root volume in bytes.
 * @param templateBytes the virtual size of the image, when it is known
 * @throws ApiError 431 when it is not positive, too large or smaller than the image
 */
export function rootDiskBytes(
  gigabytes: number | undefined,
  templateBytes: number | null,
): number | undefined {
  if (gigabytes === undefined) return undefined;
  if (!Number.isSafeInteger(gigabytes) || gigabytes < 1 || gigabytes > mostGb) {
    throw invalidParameter('rootdisksize', `must be a whole number of GB from 1 to ${mostGb}`);
  }
  const bytes = gigabytes * gib;
  if (templateBytes !== null && bytes < templateBytes) {
    const least = Math.ceil(templateBytes / gib);
    throw invalidParameter('rootdisksize', `the image needs at least ${least} GB: a disk can only be grown`);
  }
  return bytes;
}
