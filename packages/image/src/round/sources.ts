import { orAborted, sleep } from '@millrace/core';
import type { Spot } from '../course.ts';
import { FetchFault } from '../errors.ts';
import type { Decision } from '../failure-policy.ts';
import type { FetchPlan } from '../plan.ts';
import type { OpenedSource } from '../source/http-source.ts';
import type { Hop } from '../source/redirect.ts';
import type { FirstAnswer, ServerManners } from '../transfer/lane.ts';
import { runRangeLanes, waitForWork } from '../transfer/range-lanes.ts';
import { checkSame } from '../transfer/same-source.ts';
import type { Assignment } from '../transfer/segments.ts';
import { runStream } from '../transfer/stream-lane.ts';
import type { Transfer } from '../transfer/transfer.ts';
import type { Beginning } from './begin.ts';
import { BeginAgain, type RoundDeps, type RoundFacts, type Trying } from './deps.ts';
import { recordFailure, waitBefore } from './failures.ts';
import { checkAnnouncedLength, checkArrived } from './lengths.ts';

export interface SourcesOptions {
  readonly deps: RoundDeps;
  readonly facts: RoundFacts;
  readonly beginning: Beginning;
  readonly transfer: Transfer;
  /** Tries that have delivered something, by source. */
  readonly contributors: Map<number, Trying>;
  readonly signal: AbortSignal;
}

/**
 * Has sources fetch until every segment is there: those of the best rank that works, each for as long as it does.
 * @throws FetchFailure when none is left; BeginAgain when what is there cannot be gone on with
 */
export async function runSources(options: SourcesOptions): Promise<void> {
  return options.beginning.inParts ? runInParts(options) : runWhole(options);
}

/** One answer is the whole file. Whatever goes wrong with it, nothing of it is kept. */
async function runWhole(options: SourcesOptions): Promise<void> {
  const { deps, facts, beginning, transfer, signal } = options;
  const { trying, opened, totalBytes, compression } = beginning;
  const meter = meterOf(options, trying);
  try {
    await runStream({
      transfer,
      source: trying.spot.rank,
      chunks: heldBack(beginning.chunks(), deps, signal),
      expectedBytes: totalBytes,
      onBytes(count) {
        meter.add(count);
        checkArrived(trying.record.bytes, compression === 'none', deps.request);
      },
      signal,
    });
  } catch (error) {
    if (signal.aborted || !(error instanceof FetchFault)) throw error;
    const { digestState } = facts;
    const failed = { ...trying, fault: error, digestState, resumes: false, bytes: trying.record.bytes };
    const decision = recordFailure(deps, failed);
    deps.journal.enterPhase('planning');
    await waitBefore(decision, deps.options.signal);
    throw new BeginAgain(error);
  } finally {
    opened.close();
  }
}

async function* heldBack(
  chunks: AsyncIterable<Buffer>,
  { options }: RoundDeps,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of chunks) {
    await options.rateLimit?.take(chunk.length, signal);
    yield chunk;
  }
}

/** How often it is looked whether the sources together are fast enough. */
const rateCheckMs = 2000;

async function runInParts(options: SourcesOptions): Promise<void> {
  const { deps, beginning, transfer, signal } = options;
  // nobody may leave before it is known what is missing
  await orAborted(transfer.checked, signal);
  const { course, request } = deps;
  const stop = new AbortController();
  const ended = AbortSignal.any([signal, stop.signal]);
  const inUse = new Map<number, Promise<void>>();
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => {});
  const start = (spot: Spot, first: Beginning | undefined) => {
    const running = runSource({ ...options, signal: ended }, spot, first)
      .catch(reject)
      .finally(() => inUse.delete(spot.rank - 1));
    inUse.set(spot.rank - 1, running);
  };
  const pace = makePace(transfer, request.limits.minBytesPerSecond);
  try {
    start(beginning.trying.spot, beginning);
    while (!transfer.segments.complete) {
      if (deps.plan.expectedDigest) {
        for (const spot of course.startable(new Set(inUse.keys()))) {
          if (!course.isStandingBy(spot)) start(spot, undefined);
        }
      }
      if (inUse.size === 0) {
        // parts from the next best rather than everything anew from the best
        if (course.widen()) continue;
        throw new BeginAgain(new FetchFault('RANGES_UNSUPPORTED', ''));
      }
      const tick = sleep(rateCheckMs, ended);
      tick.catch(() => {});
      await orAborted(Promise.race([...inUse.values(), failed, tick]), ended);
      if (pace.isTooSlow() && course.widen()) pace.restart();
    }
    await Promise.race([failed, Promise.resolve()]);
  } finally {
    stop.abort(new Error('the sources were left'));
    beginning.opened.close();
    await Promise.allSettled(inUse.values());
  }
}

/** Whether the sources have been under the wanted rate for a while. */
function makePace(transfer: Transfer, wanted: number | undefined) {
  let since = performance.now();
  let before = transfer.segments.doneBytes;
  return {
    isTooSlow() {
      const elapsed = performance.now() - since;
      if (!wanted || elapsed < 2 * rateCheckMs) return false;
      const rate = ((transfer.segments.doneBytes - before) / elapsed) * 1000;
      this.restart();
      return rate < wanted;
    },
    restart() {
      since = performance.now();
      before = transfer.segments.doneBytes;
    },
  };
}

/** Uses one source, again after failures that pass, until there is nothing left to fetch or it is given up. */
async function runSource(options: SourcesOptions, spot: Spot, first: Beginning | undefined): Promise<void> {
  const { deps, facts, signal } = options;
  const { journal, course, plan } = deps;
  let trying: Trying | undefined = first?.trying;
  const delivered = { bytes: 0, manners: { answersAhead: true } };
  let bytesAtCut = Number.NEGATIVE_INFINITY;
  let beginning = first;
  let current = spot;
  while (true) {
    trying ??= { spot: current, record: journal.startAttempt(current) };
    try {
      await useOnce(options, trying, beginning, delivered);
      return;
    } catch (error) {
      if (signal.aborted) {
        // what it has delivered is judged with the round; a try that has not begun is none
        if (!options.contributors.has(trying.spot.rank)) trying.record.forget();
        return;
      }
      if (!(error instanceof FetchFault)) throw error;
      const neverWhole = isBrokenPart(error) && delivered.bytes - bytesAtCut < progressBytes;
      bytesAtCut = isBrokenPart(error) ? delivered.bytes : bytesAtCut;
      if (error.code === 'RANGES_UNSUPPORTED' || neverWhole) {
        course.standBy(trying.spot);
        trying.record.fail(error, 'next-source');
        return;
      }
      const { digestState } = facts;
      const failed = {
        ...trying,
        fault: error,
        digestState,
        resumes: true,
        bytes: delivered.bytes,
        progressBytes,
      };
      const decision = recordFailure(deps, failed);
      if (isVoid(error, decision, plan)) {
        journal.enterPhase('planning');
        await waitBefore(decision, deps.options.signal);
        throw new BeginAgain(error);
      }
      if (decision.next !== 'same-source') return;
      await waitBefore(decision, signal);
      current = { ...trying.spot, tryNumber: trying.spot.tryNumber + 1 };
      trying = undefined;
      beginning = undefined;
    }
  }
}

/** A try that delivers this much more has got further, however often it breaks off. */
const progressBytes = 256 * 1024;

/** Parts that do not hold what they promise, again and again, may come from a server whose whole file is right. */
function isBrokenPart({ code }: FetchFault): boolean {
  return code === 'TRANSFER_CUT' || code === 'HTTP_UNEXPECTED';
}

/** Without a digest only one version at one source is one image; with one, a file that changed cannot be told from it. */
function isVoid(fault: FetchFault, decision: Decision, { expectedDigest, pieces }: FetchPlan): boolean {
  return expectedDigest === undefined
    ? decision.next !== 'same-source' || fault.code === 'SOURCE_CHANGED'
    : fault.code === 'SOURCE_CHANGED' && pieces === undefined;
}

async function useOnce(
  options: SourcesOptions,
  trying: Trying,
  beginning: Beginning | undefined,
  delivered: { bytes: number; readonly manners: ServerManners },
): Promise<void> {
  const { deps, transfer, signal } = options;
  const { request, plan } = deps;
  const totalBytes = transfer.segments.sizeBytes;
  if (totalBytes === undefined) throw new Error('parts are parts of something');
  const known = {
    totalBytes,
    requiredValidator: plan.expectedDigest ? undefined : options.beginning.opened.validator,
  };
  const open = (range: { first: number; last: number }, openSignal: AbortSignal) =>
    deps.client.open(trying.spot.source.url, { range, signal: openSignal });
  const answer = beginning
    ? firstAnswer(options, beginning)
    : await openNext({ ...options, open, known }, trying);
  if (!answer) return;
  trying.record.setTotal(totalBytes);
  const meter = meterOf(options, trying);
  try {
    await runRangeLanes(
      {
        ...known,
        transfer,
        client: deps.client,
        source: trying.spot.rank,
        manners: delivered.manners,
        hold: holdOf(deps, signal),
        open,
        onBytes(count) {
          meter.add(count);
          delivered.bytes += count;
        },
        mostConnections: trying.spot.source.maxConnections ?? request.limits.maxConnectionsPerSource ?? 4,
        signal,
      },
      answer.target,
      answer.first,
    );
  } finally {
    answer.opened.close();
  }
}

interface Answer {
  readonly opened: OpenedSource;
  readonly target: Hop;
  readonly first: FirstAnswer | undefined;
}

/** The answer that the round began with holds the first segments, unless an interrupted fetch has left some of them. */
function firstAnswer({ transfer }: SourcesOptions, { opened, chunks }: Beginning): Answer {
  if (!opened.target) throw new Error('parts come from somewhere');
  const wanted = transfer.keptBytes === 0;
  if (!wanted) opened.close();
  const first = { position: 0, begun: undefined, chunks: chunks(), lengthBytes: opened.lengthBytes ?? 0 };
  return { opened, target: opened.target, first: wanted ? first : undefined };
}

/** Opens a source for the next segment that nobody fetches. `undefined`: there is none any more. */
async function openNext(
  options: SourcesOptions & {
    readonly open: (range: { first: number; last: number }, signal: AbortSignal) => Promise<OpenedSource>;
    readonly known: { readonly totalBytes: number; readonly requiredValidator: string | undefined };
  },
  trying: Trying,
): Promise<Answer | undefined> {
  const { deps, transfer, signal, known } = options;
  const { segments } = transfer;
  let assignment: Assignment | undefined;
  while (!assignment) {
    if (segments.complete) return undefined;
    assignment = transfer.take({ source: trying.spot.rank, rate: undefined, now: performance.now() });
    if (!assignment) await waitForWork(transfer, signal);
  }
  try {
    const begin = assignment.segment * segments.segmentBytes;
    const first = begin + assignment.filled;
    const last = begin + segments.lengthOf(assignment.segment) - 1;
    const opened = await options.open({ first, last }, signal);
    try {
      for (const warning of opened.warnings) deps.journal.warn(warning);
      checkAnnouncedLength(opened, deps.plan, deps.request);
      checkSame(opened, known);
      if (!opened.target) throw new FetchFault('RANGES_UNSUPPORTED', '');
      const { target, body, lengthBytes = 0 } = opened;
      return { opened, target, first: { position: first, begun: assignment, chunks: body, lengthBytes } };
    } catch (error) {
      opened.close();
      throw error;
    }
  } catch (error) {
    segments.giveBack(assignment);
    transfer.changed.tell();
    throw error;
  }
}

/** Counts what a source delivers, where everybody looks. */
function meterOf({ contributors }: SourcesOptions, trying: Trying) {
  return {
    add(count: number) {
      contributors.set(trying.spot.rank, trying);
      trying.record.addBytes(count);
    },
  };
}

/** Asking for every few kilobytes would cost more than it holds back. */
const heldBytes = 256 * 1024;

function holdOf({ options }: RoundDeps, signal: AbortSignal) {
  const { rateLimit } = options;
  if (!rateLimit) return undefined;
  let unasked = 0;
  return (bytes: number) => {
    unasked += bytes;
    if (unasked < heldBytes) return undefined;
    const asked = unasked;
    unasked = 0;
    return rateLimit.take(asked, signal);
  };
}
