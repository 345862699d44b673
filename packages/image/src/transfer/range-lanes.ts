import { sleep } from '@millrace/core';
import { FetchFault } from '../errors.ts';
import type { Hop } from '../source/redirect.ts';
import { makeDeliveries } from './deliveries.ts';
import { readFirst } from './first-answer.ts';
import {
  type Counter,
  type FirstAnswer,
  type LaneOptions,
  type LaneState,
  makeLaneRate,
  type RangeLanesOptions,
} from './lane.ts';
import { grow } from './lane-growth.ts';
import { fetchSegment, makeLink } from './segment-fetch.ts';
import type { Transfer } from './transfer.ts';

/** So many parts are asked for at once on a connection: the next answer begins without waiting for the request to travel. */
const askedAhead = 3;
/** With several connections each asks for less ahead, or the slow ones would hold what the fast ones could fetch. */
const askedAheadTogether = 2;
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

async function runLane(given: LaneOptions, first: FirstAnswer | undefined): Promise<void> {
  const left = new AbortController();
  const signal = AbortSignal.any([given.signal, left.signal]);
  const options = { ...given, signal };
  const { transfer, state, source } = options;
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
    // what was asked for ahead must not open the connection anew
    left.abort(new Error('the lane was left'));
    link.close();
    await Promise.allSettled(underWay);
    await deliveries.settled();
  }
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
