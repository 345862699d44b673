import { invalidParameter } from '@millrace/api';

const gib = 1024 ** 3;
const mostGb = 65_536;

/**
 * The wanted size of a root volume in bytes.
 * @param templateBytes the virtual size of the image, when it is known
 * @throws ApiError 431 when it is not positive, too large or smaller than the image
 */
export function rootDiskBytes(wanted: number | undefined, templateBytes: number | null): number | undefined {
  if (wanted === undefined) return undefined;
  const bytes = gigabytes('rootdisksize', wanted);
  if (templateBytes !== null && bytes < templateBytes) {
    const least = Math.ceil(templateBytes / gib);
    throw invalidParameter('rootdisksize', `the image needs at least ${least} GB: a disk can only be grown`);
  }
  return bytes;
}

/** The size of a disk in bytes, from a parameter in GB. @throws ApiError 431 */
export function gigabytes(param: string, wanted: number): number {
  if (Number.isSafeInteger(wanted) && wanted >= 1 && wanted <= mostGb) return wanted * gib;
  throw invalidParameter(param, `must be a whole number of GB from 1 to ${mostGb}`);
}
