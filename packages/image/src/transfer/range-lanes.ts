import { sleep } from '@millrace/core';
import { type FetchErrorCode, FetchFault } from '../errors.ts';
import type { OpenedSource } from '../source/http-source.ts';
import { ConnectionEnded, OpenAnew, type RangeConnection } from '../source/range-connection.ts';
import type { Hop } from '../source/redirect.ts';
import type { SourceClient } from '../source/source-client.ts';
import { contradicts } from '../source/validator.ts';
import type { Assignment } from './segments.ts';
import type { Transfer } from './transfer.ts';

export interface RangeLanesOptions {
  readonly transfer: Transfer;
  readonly client: Pick<SourceClient, 'connect'>;
  readonly source: number;
  readonly totalBytes: number;
  /** `undefined`: a digest decides in the end what the bytes are worth. */
  readonly requiredValidator: string | undefined;
  readonly hold: ((bytes: number) => Promise<void> | undefined) | undefined;
  /** Opens the source's URL anew, for a range: redirects are followed and tokens renewed. */
  readonly open: (range: { first: number; last: number }, signal: AbortSignal) => Promise<OpenedSource>;
  readonly onBytes: (count: number) => void;
  readonly mostConnections: number;
  /** What is learned of the server, for the next time too. */
  readonly manners: ServerManners;
  readonly signal: AbortSignal;
}

/** So many parts are asked for at once on a connection: the next answer begins without waiting for the request to travel. */
const askedAhead = 3;
/** With several connections each asks for less ahead, or the slow ones would hold what the fast ones could fetch. */
const askedAheadTogether = 2;
/** So often is a segment asked for again after connections that ended in front of it without an answer. */
const mostEndsInTurn = 3;
/** A further connection is kept when it makes the source at least this many times as fast. */
const worthwhile = 1.15;
const measureMs = 1500;

interface Counter {
  bytes: number;
}

/**
 * Fetches segments from one source over as many connections as make it faster, until there is nothing left for it.
 * @throws FetchFault of the source; what it had not finished is given back
 */
export async function runRangeLanes(
  options: RangeLanesOptions,
  target: Hop,
  first: FirstAnswer | undefined,
): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const counter: Counter = { bytes: 0 };
  const lanes = new Set<Promise<void>>();
  const retire = new Set<AbortController>();
  const state: LaneState = { target, renewing: undefined, connections: 1, delivered: 0 };
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {});
  const start = (begin: FirstAnswer | undefined, extra: AbortController | undefined) => {
    const lane = runLane({ ...options, signal, state, counter, retired: extra?.signal }, begin).catch(
      (error: unknown) => {
        // an extra connection that is refused is no failure of the source as long as another one works
        if (extra && error instanceof FetchFault && state.connections > 1) return;
        failed.reject(error);
      },
    );
    const tracked = lane.finally(() => {
      state.connections -= 1;
      lanes.delete(tracked);
    });
    lanes.add(tracked);
  };
  try {
    start(first, undefined);
    const growing = grow({ ...options, signal, counter }, state, (extra) => {
      state.connections += 1;
      retire.add(extra);
      start(undefined, extra);
    });
    growing.catch(() => {});
    while (lanes.size > 0) await Promise.race([...lanes, failed.promise]);
    await Promise.race([failed.promise, Promise.resolve()]);
  } finally {
    stop.abort(new Error('the source was left'));
    await Promise.allSettled(lanes);
  }
}

/** The answer that a source was found with. */
export interface FirstAnswer {
  /** Of its first byte in the file. */
  readonly position: number;
  /** The segment that was taken for it; `undefined`: those it has bytes of are taken as they come. */
  readonly begun: Assignment | undefined;
  readonly chunks: AsyncIterable<Buffer>;
  readonly lengthBytes: number;
}

/** How a server takes being asked. */
export interface ServerManners {
  /** False when it closed connections, or was busy, in front of parts that were asked for ahead. */
  answersAhead: boolean;
}

interface LaneState {
  target: Hop;
  /** The URL is being opened anew, for everybody who found that its target has expired. */
  renewing: Promise<void> | undefined;
  connections: number;
  delivered: number;
}

async function grow(
  options: RangeLanesOptions & { readonly counter: Counter },
  state: LaneState,
  add: (extra: AbortController) => void,
): Promise<void> {
  const { counter, signal, transfer, mostConnections } = options;
  const measure = async () => {
    const before = counter.bytes;
    const since = performance.now();
    await sleep(measureMs, signal);
    return ((counter.bytes - before) / (performance.now() - since)) * 1000;
  };
  await sleep(measureMs, signal);
  let rate = await measure();
  while (state.connections < mostConnections) {
    const left = (transfer.segments.sizeBytes ?? 0) - transfer.segments.doneBytes;
    // what is over soon is not made shorter by another handshake
    if (left / Math.max(1, rate) < 4) return;
    const extra = new AbortController();
    add(extra);
    await sleep(measureMs / 2, signal);
    const together = await measure();
    if (together < rate * worthwhile) {
      extra.abort();
      return;
    }
    rate = together;
  }
}

interface LaneOptions extends RangeLanesOptions {
  readonly state: LaneState;
  readonly counter: Counter;
  /** Aborted when the connection is not worth having: it ends after what it has begun. */
  readonly retired: AbortSignal | undefined;
}

async function runLane(options: LaneOptions, first: FirstAnswer | undefined): Promise<void> {
  const { transfer, signal, state, source } = options;
  const link = makeLink(options);
  const underWay: Promise<void>[] = [];
  const rate = makeLaneRate();
  const deliveries = makeDeliveries(options);
  try {
    if (first) {
      await readFirst(options, first);
      state.delivered += 1;
    }
    while (true) {
      signal.throwIfAborted();
      if (deliveries.failure) throw deliveries.failure.error;
      const together = state.connections > 1 || (rate.perSecond() ?? 0) < transfer.segments.segmentBytes;
      const ahead = !options.manners.answersAhead ? 1 : together ? askedAheadTogether : askedAhead;
      while (underWay.length < ahead && !options.retired?.aborted) {
        const assignment = transfer.take({ source, rate: rate.perSecond(), now: performance.now() });
        if (!assignment) break;
        const part = fetchSegment(options, link, assignment, { rate, deliveries });
        // awaited in its turn; until then a failure must not count as unhandled
        part.catch(() => {});
        underWay.push(part);
      }
      const next = underWay.shift();
      if (next) await next;
      else if (transfer.segments.complete || options.retired?.aborted) return;
      else await waitForWork(transfer, signal);
    }
  } finally {
    link.close();
    await Promise.allSettled(underWay);
    await deliveries.settled();
  }
}

/** Segments that are being checked, while the next ones are already arriving. */
interface Deliveries {
  readonly failure: { readonly error: unknown } | undefined;
  begin(assignment: Assignment): void;
  settled(): Promise<void>;
}

function makeDeliveries({ transfer, state }: LaneOptions): Deliveries {
  const underWay = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  return {
    get failure() {
      return failure;
    },
    begin(assignment) {
      const delivery = transfer
        .deliver(assignment)
        .then(
          () => {
            state.delivered += 1;
          },
          (error: unknown) => {
            failure ??= { error };
            transfer.changed.tell();
          },
        )
        .finally(() => underWay.delete(delivery));
      underWay.add(delivery);
    },
    async settled() {
      await Promise.all(underWay);
    },
  };
}

/** Stealing depends on time too: a source that has become slow changes nothing that would be told. */
export async function waitForWork(
  { changed }: Pick<Transfer, 'changed'>,
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  try {
    await Promise.race([changed.next(either), sleep(250, either)]);
  } finally {
    stop.abort(new Error('enough waiting'));
  }
}

/**
 * Bytes that undici read are copied to where they belong, as far as nobody else has fetched them meanwhile. What the
 * answer did not hold is given back.
 */
async function readFirst(options: LaneOptions, first: FirstAnswer): Promise<void> {
  const { transfer, counter, onBytes, signal, source } = options;
  const { segments, pool } = transfer;
  let position = first.position;
  const end = position + first.lengthBytes;
  let current = first.begun;
  let overtaken = false;
  /** @returns false when the next bytes are not wanted */
  const takeNext = () => {
    const segment = Math.floor(position / segments.segmentBytes);
    current = transfer.takeExactly(segment, { source, rate: undefined, now: performance.now() });
    return current !== undefined && segment * segments.segmentBytes + current.filled === position;
  };
  try {
    for await (const chunk of first.chunks) {
      if (position + chunk.length > end) {
        throw new FetchFault('RANGES_UNSUPPORTED', 'it sends more than the part asked for');
      }
      for (let at = 0; at < chunk.length; ) {
        if (overtaken || (current === undefined && !takeNext()) || !current) return;
        const assignment = current;
        assignment.onOvertaken = () => {
          overtaken = true;
        };
        assignment.slab ??= await pool.acquire(signal);
        const length = segments.lengthOf(assignment.segment);
        const to = at + length - assignment.filled;
        const count = chunk.copy(assignment.slab.bytes, assignment.filled, at, to);
        at += count;
        position += count;
        assignment.filled += count;
        counter.bytes += count;
        onBytes(count);
        if (assignment.filled < length) continue;
        current = undefined;
        await transfer.deliver(assignment);
      }
      if (position === end) return;
    }
    if (position < end) throw new FetchFault('TRANSFER_CUT', 'before the end of the part');
  } finally {
    if (current) segments.giveBack(current);
    transfer.changed.tell();
  }
}

/** The connection of a lane, made when it is needed and made again when the server has closed it. */
interface Link {
  current(): RangeConnection;
  drop(connection: RangeConnection): void;
  close(): void;
}

function makeLink({ client, state, totalBytes, requiredValidator, hold }: LaneOptions): Link {
  let connection: RangeConnection | undefined;
  let target: Hop | undefined;
  return {
    current() {
      if (connection && target !== state.target) {
        connection[Symbol.dispose]();
        connection = undefined;
      }
      target = state.target;
      connection ??= client.connect(target, { validator: requiredValidator, totalBytes, hold });
      return connection;
    },
    drop(one) {
      one[Symbol.dispose]();
      if (connection === one) connection = undefined;
    },
    close() {
      connection?.[Symbol.dispose]();
      connection = undefined;
    },
  };
}

class Overtaken extends Error {}

/** What servers do that cannot cope with a request behind another one, too. */
const maybeAskedTooMuch = new Set<FetchErrorCode>(['HTTP_BUSY', 'TRANSFER_CUT', 'CONNECTION_RESET']);

async function fetchSegment(
  options: LaneOptions,
  link: Link,
  assignment: Assignment,
  lane: { readonly rate: LaneRate; readonly deliveries: Deliveries },
): Promise<void> {
  const { transfer, state } = options;
  let ends = 0;
  try {
    while (true) {
      const before = assignment.filled;
      const { target } = state;
      try {
        await readPart(options, link, assignment, lane.rate);
        break;
      } catch (error) {
        if (error instanceof OpenAnew) {
          // a URL that has expired has served until then; one that never did is wrong
          if (state.delivered === 0 || ends >= 1) throw error.fault;
          await renew(options, assignment, target);
        } else if (!(error instanceof ConnectionEnded)) throw error;
        else options.manners.answersAhead = false;
        const moved = assignment.filled > before || (error instanceof ConnectionEnded && error.answers > 0);
        ends = moved ? 0 : ends + 1;
        options.signal.throwIfAborted();
        if (ends >= mostEndsInTurn) {
          throw new FetchFault('TRANSFER_CUT', 'before the answer', { cause: error });
        }
      }
    }
  } catch (error) {
    // what another source was faster with has been given back then
    if (error instanceof Overtaken) return;
    transfer.segments.giveBack(assignment);
    transfer.changed.tell();
    if (error instanceof FetchFault && maybeAskedTooMuch.has(error.code))
      options.manners.answersAhead = false;
    throw error;
  }
  lane.deliveries.begin(assignment);
}

async function readPart(
  options: LaneOptions,
  link: Link,
  assignment: Assignment,
  rate: LaneRate,
): Promise<void> {
  const { transfer, signal, counter, onBytes } = options;
  const { segments, pool } = transfer;
  const length = segments.lengthOf(assignment.segment);
  const from = assignment.filled;
  if (from === length) return;
  signal.throwIfAborted();
  const connection = link.current();
  const overtaken = Promise.withResolvers<never>();
  overtaken.promise.catch(() => {});
  assignment.onOvertaken = () => {
    overtaken.reject(new Overtaken('another source was faster'));
    link.drop(connection);
  };
  const reading = connection.read({
    first: assignment.segment * segments.segmentBytes + from,
    length: length - from,
    place: async () => {
      assignment.slab ??= await pool.acquire(signal);
      return assignment.slab.bytes.subarray(from, length);
    },
    onBytes: (count) => {
      assignment.filled += count;
      counter.bytes += count;
      rate.add(count);
      onBytes(count);
    },
  });
  const abort = () => link.drop(connection);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([reading, overtaken.promise]);
  } catch (error) {
    if (error instanceof Overtaken) {
      segments.giveBack(assignment);
      throw error;
    }
    link.drop(connection);
    signal.throwIfAborted();
    throw error;
  } finally {
    assignment.onOvertaken = () => {};
    signal.removeEventListener('abort', abort);
  }
}

async function renew(options: LaneOptions, assignment: Assignment, expired: Hop): Promise<void> {
  const { state } = options;
  if (state.target !== expired) return;
  state.renewing ??= openAnew(options, assignment).finally(() => {
    state.renewing = undefined;
  });
  await state.renewing;
}

async function openAnew(options: LaneOptions, assignment: Assignment): Promise<void> {
  const { transfer, signal, state } = options;
  const { segments } = transfer;
  const first = assignment.segment * segments.segmentBytes + assignment.filled;
  const last = assignment.segment * segments.segmentBytes + segments.lengthOf(assignment.segment) - 1;
  const opened = await options.open({ first, last }, signal);
  try {
    checkSame(opened, options);
    state.target = opened.target ?? state.target;
  } finally {
    opened.close();
  }
}

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

interface LaneRate {
  add(bytes: number): void;
  perSecond(): number | undefined;
}

/** The rate of one connection while it reads: over its life, with what is long ago counting less and less. */
function makeLaneRate(): LaneRate {
  let bytes = 0;
  let since = performance.now();
  return {
    add(count) {
      bytes += count;
    },
    perSecond() {
      const now = performance.now();
      const elapsed = now - since;
      const rate = bytes > 0 && elapsed > 0 ? (bytes / elapsed) * 1000 : undefined;
      if (elapsed > 4000) {
        bytes /= 2;
        since = now - elapsed / 2;
      }
      return rate;
    },
  };
}
