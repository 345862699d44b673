import { redactUrl, sleep } from '@millrace/core';
import type { Spot } from '../course.ts';
import { FetchFailure, type FetchFault } from '../errors.ts';
import type { Decision, Situation } from '../failure-policy.ts';
import type { AttemptRecord } from '../journal.ts';
import type { RoundDeps } from './deps.ts';

export interface FailedTry {
  readonly spot: Spot;
  readonly record: AttemptRecord;
  readonly fault: FetchFault;
  readonly digestState: Situation['digest'];
  readonly resumes: boolean;
  /** Where it goes on where it ended: what the source has delivered in all tries. */
  readonly bytes: number;
  readonly progressBytes?: number;
}

/**
 * Records a failed try and decides what comes next.
 * @throws FetchFailure when nothing is left to be tried here
 */
export function recordFailure(deps: RoundDeps, failed: FailedTry): Decision {
  const { journal, options, course } = deps;
  const { spot, record, fault, bytes, resumes, digestState } = failed;
  const decision = course.afterFailure(spot, {
    fault,
    bytes,
    resumes,
    ...(failed.progressBytes === undefined ? {} : { progressBytes: failed.progressBytes }),
    digest: digestState,
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
  return decision;
}

/** Waits as long as a decision for the same source says. */
export async function waitBefore(decision: Decision, signal: AbortSignal): Promise<void> {
  if (decision.next === 'same-source') await sleep(decision.delayMs, signal);
}
