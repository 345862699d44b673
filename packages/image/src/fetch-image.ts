import { describeError, redactUrl, sleep } from '@millrace/core';
import { looksLikeMetalink } from '@millrace/metalink';
import { type Course, makeCourse, type Spot } from './course.ts';
import { detectCompression } from './decode/compression.ts';
import { FetchFailure, FetchFault } from './errors.ts';
import { type ImageFindings, inspectWhole } from './inspect/inspect-image.ts';
import { type AttemptRecord, type Journal, makeJournal } from './journal.ts';
import { directPlan, type FetchPlan, metalinkPlan } from './plan.ts';
import { checkRequest, headersFor } from './request.ts';
import { type HttpClient, makeHttpClient, type OpenedSource } from './source/http-source.ts';
import { type PeekedBody, peekBody, readWithin } from './source/peek.ts';
import {
  checkAnnouncedLength,
  type TransferDeps,
  type TransferFacts,
  type Transferred,
  transferInto,
} from './transfer.ts';
import type { EngineOptions, FetchedImage, ImagePhase, ImageRequest, ImageSink, OpenImage } from './types.ts';

/** Enough to tell a metalink and a compressed file. */
export const peekBytes = 4096;
export const metalinkLimitBytes = 1024 * 1024;

interface FetchDeps {
  readonly request: ImageRequest;
  readonly sink: ImageSink;
  readonly client: HttpClient;
  readonly journal: Journal;
  readonly options: EngineOptions;
}

/**
 * Fetches an image into a sink: from the first source that works, verified, unpacked, inspected, then committed. The
 * image becomes visible whole or not at all; whatever happens before the commit leaves nothing.
 * @throws FetchFailure: where the retry goes on is in its `failureClass`, what was tried in its `attempts`
 */
export async function fetchImage(
  request: ImageRequest,
  sink: ImageSink,
  options: EngineOptions,
): Promise<FetchedImage> {
  using journal = makeJournal({ onProgress: options.onProgress, now: () => performance.now() });
  try {
    options.signal.throwIfAborted();
    checkRequest(request);
    await using client = makeHttpClient({ egress: request.egress, ...request.limits });
    return await fetchByPlan({ request, sink, client, journal, options });
  } catch (error) {
    throw asFailure(error, journal, options.signal);
  }
}

function asFailure(error: unknown, journal: Journal, signal: AbortSignal): unknown {
  if (error instanceof FetchFailure) return error;
  const { attempts, warnings } = journal;
  if (signal.aborted) {
    const facts = { failureClass: 'stop', attempts, warnings, cause: signal.reason } as const;
    return new FetchFailure('CANCELLED', `the fetch was cancelled: ${describeError(signal.reason)}`, facts);
  }
  if (!(error instanceof FetchFault)) return error;
  return new FetchFailure(error.code, error.message, {
    failureClass: 'stop',
    attempts,
    warnings,
    cause: error,
  });
}

async function fetchByPlan(deps: FetchDeps): Promise<FetchedImage> {
  const { request, journal } = deps;
  let plan = directPlan(request);
  let course = makeCourse(plan, request.limits.checksumAttempts);
  while (true) {
    const result = await attempt(deps, plan, course);
    if (result === undefined) continue;
    if ('image' in result) return result.image;
    plan = metalinkPlan(request, result.metalink);
    for (const warning of plan.warnings) journal.warn(warning);
    course = makeCourse(plan, request.limits.checksumAttempts);
  }
}

type AttemptResult = { readonly image: FetchedImage } | { readonly metalink: Buffer };

/** One try at one source. `undefined`: it failed, and the course has moved to what comes next. */
async function attempt(deps: FetchDeps, plan: FetchPlan, course: Course): Promise<AttemptResult | undefined> {
  const { journal, options } = deps;
  const spot = course.spot();
  const record = journal.startAttempt(spot);
  const facts: TransferFacts = { digestState: plan.expectedDigest ? 'not-verified' : 'none-expected' };
  try {
    return await trySource(deps, { plan, spot, record, facts });
  } catch (error) {
    if (options.signal.aborted) {
      record.fail({ code: 'CANCELLED', message: 'cancelled' }, 'stop');
      throw error;
    }
    if (!(error instanceof FetchFault)) throw error;
    await afterFault(deps, { course, spot, record, facts, fault: error });
    return undefined;
  }
}

interface FailedTry {
  readonly course: Course;
  readonly spot: Spot;
  readonly record: AttemptRecord;
  readonly facts: TransferFacts;
  readonly fault: FetchFault;
}

async function afterFault({ journal, options }: FetchDeps, failed: FailedTry): Promise<void> {
  const { course, spot, record, facts, fault } = failed;
  const decision = course.afterFailure({
    fault,
    bytes: record.bytes,
    digest: facts.digestState,
    random: Math.random(),
  });
  record.fail(fault, decision.next);
  options.log.warn(
    { url: redactUrl(spot.source.url), reason: fault.code, bytes: record.bytes, next: decision.next },
    fault.message,
  );
  if (decision.next === 'next-host' || decision.next === 'stop') {
    const { code, message, cause } = course.verdict();
    const { attempts, warnings } = journal;
    throw new FetchFailure(code, message, { failureClass: decision.next, attempts, warnings, cause });
  }
  journal.warn(`${redactUrl(spot.source.url)}: ${fault.message}`);
  journal.enterPhase('planning');
  if (decision.next === 'same-source') await sleep(decision.delayMs, options.signal);
}

interface Try {
  readonly plan: FetchPlan;
  readonly spot: Spot;
  readonly record: AttemptRecord;
  readonly facts: TransferFacts;
}

async function trySource(deps: FetchDeps, { plan, spot, record, facts }: Try): Promise<AttemptResult> {
  const { request, client, journal, options } = deps;
  const local = new AbortController();
  const signal = AbortSignal.any([options.signal, local.signal]);
  const opened = await client.open(spot.source.url, {
    headers: headersFor(spot.source.url, request),
    signal,
  });
  try {
    for (const warning of opened.warnings) journal.warn(warning);
    const peeked = await peekBody(opened.body, peekBytes);
    if (looksLikeMetalink(peeked.head)) {
      if (plan.metalink) throw new FetchFault('METALINK_NESTED', '');
      const text = await readWithin(peeked, metalinkLimitBytes);
      if (text === undefined)
        throw new FetchFault('METALINK_UNUSABLE', `it has more than ${metalinkLimitBytes} bytes`);
      record.forget();
      return { metalink: text };
    }
    checkAnnouncedLength(opened, plan, request);
    record.setTotal(plan.expectedBytes ?? opened.lengthBytes);
    const transfer: TransferDeps = { request, plan, journal, record, facts, local, signal };
    return { image: await fillAndCommit(deps, opened, peeked, transfer) };
  } finally {
    opened.close();
  }
}

/** What is gathered on the way from the opened source to the committed image. */
interface Work {
  readonly image: OpenImage;
  readonly opened: OpenedSource;
  readonly peeked: PeekedBody;
  readonly transfer: TransferDeps;
  readonly signal: AbortSignal;
  transferred?: Transferred;
  findings?: ImageFindings;
}

/**
 * The phases in their order. `transferring` passes through `verifying` and `unpacking` by itself, since all three happen
 * in one pass over the bytes.
 */
const phases: readonly { readonly phase: ImagePhase; readonly run: (work: Work) => Promise<void> }[] = [
  {
    phase: 'transferring',
    run: async (work) => {
      work.transferred = await transferInto(work.image, work.opened, work.peeked, work.transfer);
    },
  },
  {
    phase: 'inspecting',
    run: async (work) => {
      const { format, limits } = work.transfer.request;
      const rules = { format, maxVirtualSizeBytes: limits.maxVirtualSizeBytes };
      work.findings = await inspectWhole(work.image, rules, work.signal);
    },
  },
  {
    phase: 'committing',
    run: async (work) => {
      work.signal.throwIfAborted();
      if (!work.transferred) throw new Error('nothing was transferred');
      await work.image.commit(work.transferred.unpackedBytes);
    },
  },
];

async function fillAndCommit(
  { sink, options }: FetchDeps,
  opened: OpenedSource,
  peeked: PeekedBody,
  transfer: TransferDeps,
): Promise<FetchedImage> {
  const { journal, record } = transfer;
  // only for what is not compressed is the size of the file the size that will be written
  const sizeBytes =
    detectCompression(peeked.head) === 'none'
      ? (transfer.plan.expectedBytes ?? opened.lengthBytes)
      : undefined;
  const image = await sink.open(options.signal, sizeBytes === undefined ? {} : { sizeBytes });
  const work: Work = { image, opened, peeked, transfer, signal: options.signal };
  try {
    for (const { phase, run } of phases) {
      journal.enterPhase(phase);
      await run(work);
    }
  } catch (error) {
    // a pool that is gone cannot be tidied up either: the reason that counts is the first one
    await image
      .abort()
      .catch((left: unknown) => options.log.warn({ error: describeError(left) }, 'partial image left'));
    throw error;
  }
  record.succeed();
  journal.enterPhase('committed');
  const { transferred, findings } = work;
  if (!transferred || !findings) throw new Error('every phase has run');
  return {
    format: findings.format,
    compression: transferred.compression,
    sizeBytes: image.sizeBytes,
    virtualSizeBytes: findings.virtualSizeBytes,
    transferredBytes: transferred.bytes,
    digest: transferred.digest,
    attempts: journal.attempts,
    warnings: [...journal.warnings],
    phaseMs: journal.phaseMs,
  };
}
