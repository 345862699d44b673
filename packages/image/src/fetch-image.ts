import { describeError } from '@millrace/core';
import { makeCourse } from './course.ts';
import { FetchFailure, FetchFault } from './errors.ts';
import { type Journal, makeJournal } from './journal.ts';
import { directPlan, type FetchPlan, metalinkPlan, mirrorPlan } from './plan.ts';
import { checkRequest } from './request.ts';
import type { FetchNotes } from './round/deps.ts';
import { runRound } from './round/round.ts';
import { makeSourceClient, type SourceClient } from './source/source-client.ts';
import type { EngineOptions, FetchedImage, ImageRequest, ImageSink } from './types.ts';

const defaultMaxSources = 4;

interface FetchDeps {
  readonly request: ImageRequest;
  readonly sink: ImageSink;
  readonly client: SourceClient;
  readonly journal: Journal;
  readonly options: EngineOptions;
  readonly notes: FetchNotes;
}

/**
 * Fetches an image into a sink: from the best sources that work, verified, unpacked, inspected, then committed. The
 * image becomes visible whole or not at all; whatever happens before the commit leaves nothing, or with `keepPartial`
 * hidden files that the next fetch of the same image goes on with.
 * @throws FetchFailure: where the retry goes on is in its `failureClass`, what was tried in its `attempts`
 */
export async function fetchImage(
  request: ImageRequest,
  sink: ImageSink,
  options: EngineOptions,
): Promise<FetchedImage> {
  using journal = makeJournal({ onProgress: options.onProgress, now: () => performance.now() });
  const notes: FetchNotes = { archiveInside: false, leftBytes: 0 };
  try {
    options.signal.throwIfAborted();
    checkRequest(request);
    await using client = makeSourceClient(request);
    return await fetchByPlan({ request, sink, client, journal, options, notes });
  } catch (error) {
    const failure = asFailure(error, journal, options.signal);
    if (failure instanceof FetchFailure) {
      // those that were under way when it was decided have ended by now
      failure.attempts = journal.attempts;
      if (notes.leftBytes > 0) failure.resumableBytes = notes.leftBytes;
    }
    throw failure;
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
  const { checksumAttempts, maxSources = defaultMaxSources } = request.limits;
  const courseOf = (plan: FetchPlan) => makeCourse(plan, { checksumAttempts, maxSources });
  let plan = directPlan(request);
  let course = courseOf(plan);
  while (true) {
    const result = await runRound({ ...deps, plan, course });
    if (result === undefined) continue;
    if ('image' in result) return result.image;
    plan =
      'metalink' in result ? metalinkPlan(request, result.metalink) : mirrorPlan(request, result.mirrors);
    for (const warning of plan.warnings) journal.warn(warning);
    course = courseOf(plan);
  }
}
