import { sendFile, type Tweaks } from '../send-file.ts';
import { afterVisits, type Fault, type FaultTable, tweaked } from './fault.ts';

function raw(rawHead: NonNullable<Tweaks['rawHead']>): Fault {
  return tweaked({ rawHead });
}

/** Puts lines at the end of a head. */
const withLines = (...lines: string[]) =>
  raw((head) => [head.replace(/\r\n\r\n$/, `\r\n${lines.join('\r\n')}\r\n\r\n`)]);
const withoutLength = (head: string) => head.replace(/content-length: .*\r\n/i, '');

const notHttp: Fault = (call) => {
  call.response.socket?.end('SSH-2.0-OpenSSH_9.2\r\n\r\n');
};

const floodLine = `x-flood: ${'f'.repeat(1000)}`;
/** As much as a client may be made to swallow before it counts as fooled. */
const floodLines = 32 * 1024;

/** HTTP/1.1 itself, spoken oddly, or not at all. Where the row is not marked as legal, RFC 9112 forbids it. */
export const framingFaults: FaultTable = {
  /** Answers with something that is not HTTP. */
  'not-http': notHttp,
  'not-http-after-%': afterVisits(notHttp),
  /** Legal. */
  chunked: tweaked({ declaredLength: 'none', ranges: false }),
  'chunked-cut': tweaked((call) => ({
    declaredLength: 'none',
    ranges: false,
    cutAt: Math.floor(call.file.sizeBytes / 2),
    afterCut: 'close',
  })),
  'chunk-size-wrong': tweaked({
    declaredLength: 'none',
    rawHead: (head) => [head.replace(/\r\n\r\n$/, '\r\nTransfer-Encoding: chunked\r\n\r\n'), 'many\r\n'],
  }),
  /** Legal: the older protocol, with ranges and length all the same. */
  'http-1.0': raw((head) => [head.replace('HTTP/1.1', 'HTTP/1.0')]),
  /** Legal: no length; the end of the connection is the end of the file. */
  'until-close': tweaked({ ranges: false, declaredLength: 'none', rawHead: (head) => [head] }),
  /** The same, cut: nothing says that bytes are missing. */
  'until-close-cut': tweaked((call) => ({
    ranges: false,
    declaredLength: 'none',
    rawHead: (head) => [head],
    bodyEnd: Math.floor(call.file.sizeBytes / 2),
  })),
  /** Legal: names and units in any case, and spaces before values. */
  'odd-headers': raw((head) => [
    head
      .replace(/content-length: (\d+)/i, 'cOnTeNt-LeNgTh:  \t $1')
      .replace(/content-range: bytes/i, 'CONTENT-RANGE:Bytes')
      .replace(/accept-ranges: bytes/i, 'accept-RANGES:BYTES')
      .replace(/etag: /i, 'EtAg:'),
  ]),
  /** Legal: interim answers before the final one. */
  'early-hints': (call) => {
    call.response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
    return sendFile(call);
  },
  processing: (call) => {
    call.response.writeProcessing();
    return sendFile(call);
  },
  'continue-unasked': (call) => {
    call.response.writeContinue();
    return sendFile(call);
  },
  'header-flood': withLines(...Array<string>(100).fill(floodLine)),
  'headers-endless': raw(function* (head) {
    yield head.replace(/\r\n$/, '');
    for (let line = 0; line < floodLines; line++) yield `${floodLine}\r\n`;
  }),
  'length-twice': withLines('Content-Length: 5'),
  'length-negative': raw((head) => [head.replace(/(content-length): \d+/i, '$1: -5')]),
  'length-nonsense': raw((head) => [head.replace(/(content-length): \d+/i, '$1: 0x10')]),
  'length-and-chunks': withLines('Transfer-Encoding: chunked'),
  /** Both of a range: 10 bytes more, or fewer, than Content-Length says, on a connection that stays open. */
  'length-too-small': tweaked({ onRange: ({ start, end }) => ({ declaredLength: end - start - 10 }) }),
  'length-too-large': tweaked({ onRange: ({ start, end }) => ({ declaredLength: end - start + 10 }) }),
  /** Legal: a range without Content-Length that ends with the connection. */
  'range-until-close': tweaked({ onRange: () => ({ rawHead: (head) => [withoutLength(head)] }) }),
  /** Bytes that nobody asked for, after an answer that is complete. */
  'unsolicited-bytes': tweaked({ afterEnd: Buffer.from('and what is more: ') }),
  /** A forged answer to the request that a client is likely to send next. */
  'unsolicited-answer': tweaked((call) => ({
    onRange: ({ start, end }) => ({ afterEnd: forgedAnswer(end, end + end - start, call.file.sizeBytes) }),
  })),
};

function forgedAnswer(start: number, wantedEnd: number, size: number): Buffer {
  const end = Math.min(size, wantedEnd);
  if (start >= end) return Buffer.alloc(0);
  const head = [
    'HTTP/1.1 206 Partial Content',
    `Content-Range: bytes ${start}-${end - 1}/${size}`,
    `Content-Length: ${end - start}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), Buffer.alloc(end - start, 'x')]);
}
