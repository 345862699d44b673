import { answerStatus, sendFile } from '../send-file.ts';
import { afterVisits, type Fault, type FaultTable, onRanges, parameter, tweaked } from './fault.ts';

/** Answers a range with this Content-Range, and the right bytes. */
function saying(contentRange: (start: number, last: number, size: number) => string | undefined): Fault {
  return tweaked(({ file }) => ({
    onRange: ({ start, end }) => ({
      headers: { 'content-range': contentRange(start, end - 1, file.sizeBytes) },
    }),
  }));
}

const boundary = 'THE_PARTS_ARE_SEPARATED_BY_THIS';

/** What servers do to Range. Where the row is not marked as legal, RFC 9110 §14 and §15.3.7 forbid it. */
export const rangeFaults: FaultTable = {
  /** Legal: the whole file, whatever was asked. */
  'no-range': tweaked({ ranges: false }),
  'no-range-after-%': afterVisits(tweaked({ ranges: false })),
  /** Legal: ranges that nothing announces. */
  'range-unannounced': tweaked({ headers: { 'accept-ranges': undefined } }),
  'range-denied-yet-given': tweaked({ headers: { 'accept-ranges': 'none' } }),
  /** Legal: less than was asked for (`?bytes=`), and the head says so. */
  'range-capped': tweaked((call) => ({
    onRange: ({ start, end }) => {
      const capped = Math.min(end, start + parameter(call, 'bytes', 10_000));
      return {
        bodyEnd: capped,
        declaredLength: capped - start,
        headers: { 'content-range': `bytes ${start}-${capped - 1}/${call.file.sizeBytes}` },
      };
    },
  })),
  /** Legal: a size that is not known yet. */
  'range-total-unknown': saying((start, last) => `bytes ${start}-${last}/*`),
  /** Legal: no length but that of the chunks. */
  'range-chunked': tweaked({ onRange: () => ({ declaredLength: 'none' }) }),
  'no-content-range': saying(() => undefined),
  'range-start-wrong': saying((start, last, size) => `bytes ${start + 1}-${last + 1}/${size}`),
  'range-total-wrong': saying((start, last, size) => `bytes ${start}-${last}/${size + 1}`),
  'range-unit-wrong': saying((start, last, size) => `items ${start}-${last}/${size}`),
  'range-reversed': saying((start, last, size) => `bytes ${last}-${start}/${size}`),
  'range-huge': saying((start, _last, size) => `bytes ${start}-99999999999999999999999/${size}`),
  'range-nonsense': saying(() => 'bytes of the file'),
  /** The head is right, and the bytes are those one further on. */
  'range-shifted': tweaked({
    onRange: ({ start, end }) => ({ bodyStart: start + 1, bodyEnd: end + 1 }),
  }),
  /** From the beginning of the file, under the head of the range: how a 200 looks that became a 206 on the way. */
  'range-from-zero': tweaked({ onRange: ({ start, end }) => ({ bodyStart: 0, bodyEnd: end - start }) }),
  /** Fewer bytes than Content-Range says, in agreement with Content-Length. */
  'range-short': tweaked({
    onRange: ({ start, end }) => ({ bodyEnd: end - 1, declaredLength: end - start - 1 }),
  }),
  'range-long': tweaked({
    onRange: ({ start, end }) => ({
      declaredLength: end - start + 7,
      before: Buffer.alloc(0),
      extra: Buffer.from('7 bytes'),
    }),
  }),
  /** More than was asked for: to the end of the file, and the head says so. */
  'range-unbounded': tweaked(({ request }) => {
    const start = /^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1];
    return start === undefined ? {} : { rangeRead: `bytes=${start}-` };
  }),
  /** 206 to a request that has no Range. */
  'range-unasked': (call) =>
    call.request.headers.range === undefined
      ? sendFile(call, {
          status: 206,
          headers: { 'content-range': `bytes 0-${call.file.sizeBytes - 1}/${call.file.sizeBytes}` },
        })
      : sendFile(call),
  multipart: tweaked(({ file }) => ({
    onRange: ({ start, end }) => ({
      declaredLength: 'none',
      headers: { 'content-type': `multipart/byteranges; boundary=${boundary}`, 'content-range': undefined },
      before: Buffer.from(
        `--${boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes ${start}-${end - 1}/${file.sizeBytes}\r\n\r\n`,
      ),
      extra: Buffer.from(`\r\n--${boundary}--\r\n`),
    }),
  })),
  'gzip-ranges': onRanges(tweaked({ headers: { 'content-encoding': 'gzip' } })),
  'web-page-ranges': onRanges((call) => {
    answerStatus(call, 200, { 'content-type': 'text/html' });
  }),
};
