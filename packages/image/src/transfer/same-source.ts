import { FetchFault } from '../errors.ts';
import type { OpenedSource } from '../source/http-source.ts';
import { contradicts } from '../source/validator.ts';

/** @throws FetchFault when what is opened anew is not what has been fetched from. */
export function checkSame(
  opened: OpenedSource,
  known: { readonly totalBytes: number; readonly requiredValidator: string | undefined },
): void {
  if (!opened.ranged) throw new FetchFault('RANGES_UNSUPPORTED', 'answered 200');
  const { totalBytes, validator } = opened;
  if (totalBytes !== undefined && totalBytes !== known.totalBytes) {
    throw new FetchFault('SOURCE_CHANGED', `it had ${known.totalBytes} bytes and has ${totalBytes} now`);
  }
  const { requiredValidator } = known;
  if (requiredValidator === undefined || validator === requiredValidator) return;
  if (contradicts(opened.headers, requiredValidator)) {
    throw new FetchFault('SOURCE_CHANGED', 'another version is there');
  }
  throw new FetchFault('RANGES_UNSUPPORTED', 'parts do not tell which version they are of');
}
