/** First and last byte, both included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * What of a file is wanted (RFC 9110 §14): one range of bytes, `undefined` for all of it. Several ranges, other units and
 * an `If-Range` that does not fit lead to all of it, as the RFC allows.
 */
export function readRange(
  headers: { readonly range?: string | undefined; readonly 'if-range'?: string | undefined },
  file: { readonly size: number; readonly tag: string },
): ByteRange | 'unsatisfiable' | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(headers.range ?? '') ?? [];
  if (first === undefined || last === undefined || first + last === '') return undefined;
  if (headers['if-range'] !== undefined && headers['if-range'] !== file.tag) return undefined;
  const start = first === '' ? Math.max(0, file.size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? file.size - 1 : Math.min(Number(last), file.size - 1);
  return start > end ? 'unsatisfiable' : { start, end };
}
