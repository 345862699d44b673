import { FetchFault } from '../errors.ts';
import type { FetchPlan } from '../plan.ts';
import type { OpenedSource } from '../source/http-source.ts';
import type { ImageRequest } from '../types.ts';

/** @throws FetchFault when the length that is announced shows already that the transfer cannot end well. */
export function checkAnnouncedLength(opened: OpenedSource, plan: FetchPlan, request: ImageRequest): void {
  const { totalBytes } = opened;
  if (totalBytes === undefined) return;
  const { expectedBytes } = plan;
  if (expectedBytes !== undefined && totalBytes !== expectedBytes) {
    const code = totalBytes < expectedBytes ? 'LENGTH_TOO_SHORT' : 'LENGTH_TOO_LONG';
    throw new FetchFault(code, `the source has ${totalBytes} bytes, the metalink says ${expectedBytes}`);
  }
  if (totalBytes > request.limits.maxTransferBytes) throw tooLarge(request, totalBytes);
}

/** @throws FetchFault when more has arrived than may, of a file whose length nobody announced. */
export function checkArrived(bytes: number, plain: boolean, request: ImageRequest): void {
  const { maxTransferBytes, maxVirtualSizeBytes } = request.limits;
  if (bytes > maxTransferBytes) throw tooLarge(request);
  if (plain && bytes > maxVirtualSizeBytes) {
    throw new FetchFault('IMAGE_TOO_LARGE', `more than ${maxVirtualSizeBytes} bytes`);
  }
}

function tooLarge(request: ImageRequest, bytes?: number): FetchFault {
  const limit = `the limit is ${request.limits.maxTransferBytes} bytes`;
  return new FetchFault('TRANSFER_TOO_LARGE', bytes === undefined ? limit : `${bytes} bytes, ${limit}`);
}
