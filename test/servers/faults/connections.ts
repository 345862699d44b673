import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Tweaks } from '../send-file.ts';
import { sendFile } from '../send-file.ts';
import {
  afterVisits,
  atFirst,
  type Fault,
  type FaultCall,
  type FaultTable,
  parameter,
  position,
  tweaked,
} from './fault.ts';

const cutAtPosition = (afterCut: Tweaks['afterCut']) =>
  tweaked((call) => ({ cutAt: position(call), ...(afterCut ? { afterCut } : {}) }));
const cutEach = (afterCut: Tweaks['afterCut']) =>
  tweaked((call) => ({ cutAfter: parameter(call, 'bytes', 100_000), ...(afterCut ? { afterCut } : {}) }));

/** By the path and the number of the request, so that a run can be repeated. */
function chance(call: FaultCall): boolean {
  const digest = createHash('sha1').update(`${call.url.pathname}${call.url.search} ${call.visit}`).digest();
  return digest.readUInt16BE(0) % 100 < call.number;
}

/** Accepts the request and never answers it. */
const hang: Fault = () => {};

/** What happens to the connection. */
export const connectionFaults: FaultTable = {
  'reset-at-%': cutAtPosition('reset'),
  'reset-once-at-%': atFirst(cutAtPosition('reset')),
  'stall-at-%': cutAtPosition('stall'),
  'stall-once-at-%': atFirst(cutAtPosition('stall')),
  'close-at-%': cutAtPosition('close'),
  /** After `?bytes=` of every answer, wherever it begins. */
  'reset-each': cutEach('reset'),
  'stall-each': cutEach('stall'),
  'close-each': cutEach('close'),
  /** With the number's chance, in percent, an answer ends after `?bytes=`. */
  'reset-chance-%': (call) => (chance(call) ? cutEach('reset')(call) : sendFile(call)),
  hang,
  'hang-after-%': afterVisits(hang),
  /** Closes the connection instead of answering. */
  close: (call) => {
    call.response.socket?.destroy();
  },
  'close-after-%': afterVisits((call) => {
    call.response.socket?.destroy();
  }),
  /** One answer per connection, and says so. */
  'no-keep-alive': tweaked({ headers: { connection: 'close' } }),
  /** One answer per connection, and does not say so. */
  'drops-keep-alive': tweaked({ afterEnd: 'drop' }),
  /** By `?rate=`, or this. */
  /** Breaks off what it sends when it is asked for more meanwhile, as servers do that do not expect pipelining. */
  'cuts-pipelined': (call) =>
    call.askedAhead() ? sendFile(call, { cutAfter: 65_536, afterCut: 'close' }) : sendFile(call),
  slow: tweaked((call) => (call.url.searchParams.has('rate') ? {} : { bytesPerSecond: 100_000 })),
  /** Just enough to look alive. */
  trickle: tweaked({ bytesPerSecond: 200 }),
  /** The head comes a few letters at a time, `?ms=` apart. */
  'slow-head': tweaked((call) => ({
    async *rawHead(head) {
      for (const letters of head.match(/.{1,4}/gs) ?? []) {
        await delay(parameter(call, 'ms', 20));
        yield letters;
      }
    },
  })),
};
