import { type Answer, answerStatus, sendFile, type Tweaks } from '../send-file.ts';

export interface FaultCall extends Answer {
  readonly url: URL;
  readonly name: string;
  /** Number captured from the path: 50 in `/reset-at-50/…`. */
  readonly number: number;
  /** 1 for the first request of this path and query, counted per server. */
  readonly visit: number;
  /** Requests of this path and query that are being answered, this one included. */
  readonly active: number;
  /** Whether the client has asked for more on this connection before it has got this. */
  readonly askedAhead: () => boolean;
}

export type Fault = (call: FaultCall) => Promise<void> | void;

/** Path segment → what goes wrong. A `%` in a name stands for a number. */
export type FaultTable = Readonly<Record<string, Fault>>;

/** The position at the number of the path, read as a percentage of the file. */
export function position(call: FaultCall): number {
  return Math.floor((call.file.sizeBytes * Math.min(100, call.number)) / 100);
}

/** A number of the query. */
export function parameter(call: FaultCall, name: string, otherwise: number): number {
  return Number(call.url.searchParams.get(name) ?? otherwise);
}

/** Sends the file with what the tweaks say is different. */
export function tweaked(tweaks: Tweaks | ((call: FaultCall) => Tweaks)): Fault {
  return (call) => sendFile(call, typeof tweaks === 'function' ? tweaks(call) : tweaks);
}

/** A correct answer to the first `?times=` requests (by default the number of the path), then the other one. */
export function afterVisits(fault: Fault): Fault {
  return (call) => (call.visit <= parameter(call, 'times', call.number) ? sendFile(call) : fault(call));
}

/** The fault for the first `?times=` requests (1 by default), then correct. */
export function atFirst(fault: Fault): Fault {
  return (call) => (call.visit <= parameter(call, 'times', 1) ? fault(call) : sendFile(call));
}

/** Requests without a range are answered correctly. */
export function onRanges(fault: Fault): Fault {
  return (call) => (call.request.headers.range === undefined ? sendFile(call) : fault(call));
}

export function status(
  code: number,
  headers: (call: FaultCall) => Record<string, string> = () => ({}),
): Fault {
  return (call) => answerStatus(call, code, headers(call));
}
