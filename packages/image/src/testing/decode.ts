import type { DecodeOptions, Decoder } from '../decode/stage.ts';
import { type FetchErrorCode, FetchFault } from '../errors.ts';

export async function* inPieces(bytes: Buffer, pieceBytes: number, then?: Error): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  if (then) throw then;
}

export async function collect(stage: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of stage) parts.push(chunk);
  return Buffer.concat(parts);
}

/** Everything a decoder makes of bytes that come in pieces of a size. */
export function decodeAll(
  decoder: Decoder,
  bytes: Buffer,
  pieceBytes = 65_536,
  options: DecodeOptions = { signal: new AbortController().signal },
): Promise<Buffer> {
  return collect(decoder(inPieces(bytes, pieceBytes), options));
}

/** For `assert.rejects`: a fault of this code whose message fits. */
export function faultOf(code: FetchErrorCode, message = /./): (error: unknown) => boolean {
  return (error) => error instanceof FetchFault && error.code === code && message.test(error.message);
}
