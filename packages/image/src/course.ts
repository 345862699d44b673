import { redactUrl } from '@millrace/core';
import { type FetchErrorCode, type FetchFault, fetchErrors } from './errors.ts';
import { type Decision, nextAfterFailure, type Situation } from './failure-policy.ts';
import type { FetchPlan, PlannedSource } from './plan.ts';

/** Which source is tried, and for the how manieth time. */
export interface Spot {
  readonly source: PlannedSource;
  /** 1-based. */
  readonly rank: number;
  readonly checksumAttempt: number;
  readonly tryNumber: number;
}

/** What an attempt came to before it failed. */
export interface FailedAttempt {
  readonly fault: FetchFault;
  readonly bytes: number;
  readonly digest: Situation['digest'];
  readonly random: number;
}

/** How a fetch ends when nothing is left to try. */
export interface Verdict {
  readonly code: FetchErrorCode;
  readonly message: string;
  readonly cause: FetchFault;
}

export interface Course {
  spot(): Spot;
  /** Decides what follows and moves there. */
  afterFailure(failed: FailedAttempt): Decision;
  /** To be asked after a decision for `next-host` or `stop`. */
  verdict(): Verdict;
}

/** How much further a try must get to count as progress: less is what happened to be in flight when it broke. */
const progressBytes = 1024 * 1024;

/**
 * The way through the sources of a plan. A source that was given up is not asked again in this fetch; wrong bytes do not
 * give a source up, but the next checksum attempt begins at the one after it and comes round to it last.
 */
export function makeCourse(plan: FetchPlan, checksumAttempts: number): Course {
  const givenUp = new Map<number, FetchFault>();
  let index = 0;
  let checksumAttempt = 1;
  let tries = 0;
  let triesWithoutProgress = 0;
  let furthestBytes = 0;
  let refusal: FetchFault | undefined;
  let lastFault: FetchFault | undefined;

  const moveOn = () => {
    index = indexAfter(index, plan.sources.length, givenUp);
    tries = 0;
    triesWithoutProgress = 0;
    furthestBytes = 0;
  };
  const otherSources = () => plan.sources.filter((_, at) => at !== index && !givenUp.has(at)).length;

  return {
    spot: () => ({
      source: plan.sources[index]!,
      rank: index + 1,
      checksumAttempt,
      tryNumber: tries + 1,
    }),
    afterFailure({ fault, bytes, digest, random }) {
      lastFault = fault;
      tries += 1;
      const progressed = tries === 1 || bytes >= furthestBytes + progressBytes;
      triesWithoutProgress = progressed ? 1 : triesWithoutProgress + 1;
      furthestBytes = Math.max(furthestBytes, bytes);
      const faults = [...givenUp.values(), fault];
      const decision = nextAfterFailure(fault.code, {
        tries,
        triesWithoutProgress,
        otherSources: otherSources(),
        checksumAttempt,
        checksumAttempts,
        digest,
        onlyPolicyRefusals: faults.every(({ code }) => fetchErrors[code].outcome === 'policy'),
        earlierRefusal: refusal !== undefined,
        retryAfterMs: fault.retryAfterMs,
        random,
      });
      if (fetchErrors[fault.code].outcome === 'refused') refusal ??= fault;
      if (decision.next === 'next-checksum-attempt') {
        checksumAttempt += 1;
        moveOn();
      } else if (decision.next !== 'same-source') {
        givenUp.set(index, fault);
        if (decision.next === 'next-source') moveOn();
      }
      return decision;
    },
    verdict: () => verdictOf(plan, givenUp, lastFault!, refusal),
  };
}

/** The next source in turn that was not given up; the same one when it is the only one left. */
function indexAfter(index: number, count: number, givenUp: ReadonlyMap<number, unknown>): number {
  const inTurn = Array.from({ length: count }, (_, step) => (index + step + 1) % count);
  return inTurn.find((candidate) => !givenUp.has(candidate)) ?? index;
}

const aboutOneSource = new Set<string>(['same-source', 'next-source', 'policy']);

function verdictOf(
  plan: FetchPlan,
  givenUp: ReadonlyMap<number, FetchFault>,
  last: FetchFault,
  refusal: FetchFault | undefined,
): Verdict {
  const { outcome } = fetchErrors[last.code];
  if (outcome === 'next-host' || outcome === 'stop')
    return { code: last.code, message: last.message, cause: last };
  if (refusal) return { code: refusal.code, message: refusal.message, cause: refusal };
  const ofSource = (at: number, fault: FetchFault) => `${redactUrl(plan.sources[at]!.url)}: ${fault.message}`;
  const reasons = [...givenUp].map(([at, fault]) => ofSource(at, fault));
  if (!aboutOneSource.has(outcome) || plan.sources.length === 1) {
    return { code: last.code, message: reasons.at(-1) ?? last.message, cause: last };
  }
  const everyOneByPolicy = [...givenUp.values()].every(({ code }) => fetchErrors[code].outcome === 'policy');
  const code = everyOneByPolicy ? last.code : 'ALL_SOURCES_FAILED';
  const shown = reasons.slice(0, 8);
  if (reasons.length > shown.length) shown.push(`and ${reasons.length - shown.length} more`);
  return { code, message: `${fetchErrors[code].summary}: ${shown.join('; ')}`, cause: last };
}
