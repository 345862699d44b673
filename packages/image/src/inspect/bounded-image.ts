import { FetchFault } from '../errors.ts';
import type { ReadAt } from './qcow2-tables.ts';

/** An image that is read at positions which the image itself names. */
export interface BoundedImage {
  readonly sizeBytes: number;
  /** Exactly these bytes. @throws FetchFault `IMAGE_TRUNCATED`, naming `what` is not all there */
  readonly read: (position: number, length: number, what: string) => Promise<Buffer>;
  /** @throws FetchFault `IMAGE_TRUNCATED` unless these bytes lie within the image */
  readonly within: (position: number, length: number, what: string) => void;
}

export function boundedImage(image: { readonly sizeBytes: number; readonly read: ReadAt }): BoundedImage {
  const { sizeBytes } = image;
  const within = (position: number, length: number, what: string) => {
    if (position < 0 || !Number.isSafeInteger(position + length) || position + length > sizeBytes) {
      throw new FetchFault('IMAGE_TRUNCATED', `${what} at ${position}, the file has ${sizeBytes} bytes`);
    }
  };
  return {
    sizeBytes,
    within,
    async read(position, length, what) {
      within(position, length, what);
      const bytes = await image.read(position, length);
      if (bytes.length !== length) throw new FetchFault('IMAGE_TRUNCATED', `${what} at ${position}`);
      return bytes;
    },
  };
}

export function headerInvalid(found: string): FetchFault {
  return new FetchFault('IMAGE_HEADER_INVALID', found);
}

/** A number of 64 bits that an image says something with; what no file can have is out of bounds of everything. */
export function boundedNumber(value: bigint, what: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw headerInvalid(`${what} of ${value}`);
  return Number(value);
}

/** @throws FetchFault `IMAGE_EMPTY`, `IMAGE_TOO_LARGE` */
export function judgeVirtualSize(bytes: bigint, maxVirtualSizeBytes: number): number {
  if (bytes === 0n) throw new FetchFault('IMAGE_EMPTY', 'a virtual size of 0');
  if (bytes > BigInt(maxVirtualSizeBytes)) {
    throw new FetchFault('IMAGE_TOO_LARGE', `${bytes} bytes, the limit is ${maxVirtualSizeBytes}`);
  }
  return Number(bytes);
}

export function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}

export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
