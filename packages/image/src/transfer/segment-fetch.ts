import { type FetchErrorCode, FetchFault } from '../errors.ts';
import { ConnectionEnded, OpenAnew, type RangeConnection } from '../source/range-connection.ts';
import type { Hop } from '../source/redirect.ts';
import type { Deliveries } from './deliveries.ts';
import type { LaneOptions, LaneRate } from './lane.ts';
import { checkSame } from './same-source.ts';
import type { Assignment } from './segments.ts';

/** So often is a segment asked for again after connections that ended in front of it without an answer. */
const mostEndsInTurn = 3;
/** The connection of a lane, made when it is needed and made again when the server has closed it. */
export interface Link {
  current(): RangeConnection;
  drop(connection: RangeConnection): void;
  close(): void;
}

export function makeLink({ client, state, totalBytes, requiredValidator, hold }: LaneOptions): Link {
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

/** Fetches one segment over the connection of a lane, as often as it takes, and hands it over. */
export async function fetchSegment(
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
        else if (error.byServer) options.manners.answersAhead = false;
        // given up for a segment that another source was faster with: nothing is known of this one
        else if (!options.signal.aborted) continue;
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
