import { randomBytes } from 'node:crypto';
import { sendFile } from '../send-file.ts';
import { otherFile } from '../served-files.ts';
import { atFirst, type FaultCall, type FaultTable, onRanges, parameter, tweaked } from './fault.ts';

const missing = ({ file }: FaultCall) => Math.min(1000, Math.ceil(file.sizeBytes / 4));
/** `?at=`, else the middle. */
const corruptPlace = (call: FaultCall) => [parameter(call, 'at', Math.floor(call.file.sizeBytes / 2))];

/** One position in every n-th piece of `?piece=` bytes. */
function everyPiece(call: FaultCall): readonly number[] {
  const piece = parameter(call, 'piece', 65_536);
  const pieces = Math.ceil(call.file.sizeBytes / piece);
  return Array.from({ length: pieces }, (_, index) => index)
    .filter((index) => (index + 1) % call.number === 0)
    .map((index) => Math.min(call.file.sizeBytes - 1, index * piece + 17));
}

/** Wrong bytes, and wrong numbers of them, in good order. */
export const contentFaults: FaultTable = {
  /** One bit in the middle (`?at=POSITION`) is wrong. */
  corrupt: tweaked((call) => ({ corruptAt: corruptPlace(call) })),
  'corrupt-once': atFirst(tweaked((call) => ({ corruptAt: corruptPlace(call) }))),
  /** Right only when the whole file is asked for. */
  'corrupt-ranges': onRanges(tweaked((call) => ({ corruptAt: corruptPlace(call) }))),
  'corrupt-every-%': tweaked((call) => ({ corruptAt: everyPiece(call) })),
  /** Another file of the same length, without a word. */
  'other-file': (call) => sendFile({ ...call, file: otherFile(call.file) }),
  /** The same, and every answer ends after `?bytes=`. */
  'other-file-cut': (call) =>
    sendFile(
      { ...call, file: otherFile(call.file) },
      { cutAfter: parameter(call, 'bytes', 100_000), afterCut: 'close' },
    ),
  'other-file-ranges': onRanges((call) => sendFile({ ...call, file: otherFile(call.file) })),
  /** Promises the whole length, sends less, closes the connection in good order. */
  short: tweaked((call) => ({ cutAt: call.file.sizeBytes - missing(call), afterCut: 'close' })),
  /** Sends less and says so: nothing looks wrong unless the true size is known. */
  'short-declared': tweaked((call) => ({
    bodyEnd: call.file.sizeBytes - missing(call),
    declaredLength: call.file.sizeBytes - missing(call),
    ranges: false,
  })),
  /** Bytes after the end, without a declared length. */
  long: tweaked(() => ({ declaredLength: 'none', extra: randomBytes(1000), ranges: false })),
  /** Bytes after the end, declared. */
  'long-declared': tweaked((call) => ({
    declaredLength: call.file.sizeBytes + 1000,
    extra: randomBytes(1000),
    ranges: false,
  })),
  /** A page for people, with 200: a portal, a login, an error page of a content network. */
  'web-page': (call) => {
    call.onStatus(200);
    call.response.writeHead(200, { 'content-type': 'text/html' });
    call.response.end('<!DOCTYPE html>\n<html><body>Please log in.</body></html>\n');
  },
  empty: (call) => {
    call.onStatus(200);
    call.response.writeHead(200, { 'content-length': '0' });
    call.response.end();
  },
  'wrong-content-encoding': tweaked({ headers: { 'content-encoding': 'gzip' } }),
};
