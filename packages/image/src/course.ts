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
  /** That the source has delivered so far, in this try or, where tries go on, in all of them. */
  readonly bytes: number;
  readonly resumes: boolean;
  /** How much further a try must get than the one before to count as progress. Default 1 MiB. */
  readonly progressBytes?: number;
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
  /**
   * The sources to be used now, beside those that are in use: those of the best rank that still has one. After wrong
   * bytes that nobody can be blamed for, one at a time. The first of them is the one to begin with.
   */
  startable(inUse: ReadonlySet<number>): readonly Spot[];
  /** Decides what follows for a source, and moves there. */
  afterFailure(spot: Spot, failed: FailedAttempt): Decision;
  /** The source sends the file only as a whole: it is used when it is the only one left, or the best. */
  standBy(spot: Spot): void;
  isStandingBy(spot: Spot): boolean;
  /** Lets the sources of the next rank join. @returns false when there are none */
  widen(): boolean;
  /** To be asked after a decision for `next-host` or `stop`. */
  verdict(): Verdict;
}

/** Less than this is what happened to be in flight when a try broke. */
const usualProgressBytes = 1024 * 1024;

interface SourceState {
  tries: number;
  triesWithoutProgress: number;
  furthestBytes: number;
  standingBy: boolean;
}

export interface CourseOptions {
  readonly checksumAttempts: number;
  /** Sources used at the same time. */
  readonly maxSources: number;
}

/**
 * The way through the sources of a plan. A source that was given up is not asked again in this fetch; wrong bytes do not
 * give a source up, but the next checksum attempt begins at the one after it and comes round to it last.
 */
export function makeCourse(plan: FetchPlan, { checksumAttempts, maxSources }: CourseOptions): Course {
  const { sources } = plan;
  const givenUp = new Map<number, FetchFault>();
  const states = sources.map(
    (): SourceState => ({ tries: 0, triesWithoutProgress: 0, furthestBytes: 0, standingBy: false }),
  );
  let first = 0;
  let alone = false;
  let extraRanks = 0;
  let checksumAttempt = 1;
  let refusal: FetchFault | undefined;
  let lastFault: FetchFault | undefined;

  const inTurn = () => sources.map((_, step) => (first + step) % sources.length);
  const left = () => inTurn().filter((index) => !givenUp.has(index));
  const spotOf = (index: number): Spot => ({
    source: sources[index]!,
    rank: index + 1,
    checksumAttempt,
    tryNumber: states[index]!.tries + 1,
  });
  const stateOf = (spot: Spot) => states[spot.rank - 1]!;

  return {
    startable(inUse) {
      const usable = left();
      if (alone) return inUse.size > 0 ? [] : usable.slice(0, 1).map(spotOf);
      const ranks = [...new Set(usable.map((index) => sources[index]!.rank))].sort((a, b) => a - b);
      const allowed = new Set(ranks.slice(0, 1 + extraRanks));
      return usable
        .filter((index) => allowed.has(sources[index]!.rank) && !inUse.has(index))
        .filter((index) => inUse.size === 0 || !states[index]!.standingBy)
        .sort((a, b) => Number(states[a]!.standingBy) - Number(states[b]!.standingBy))
        .slice(0, Math.max(0, maxSources - inUse.size))
        .map(spotOf);
    },
    afterFailure(spot, { fault, bytes, resumes, digest, random, progressBytes = usualProgressBytes }) {
      const index = spot.rank - 1;
      const state = stateOf(spot);
      lastFault = fault;
      state.tries += 1;
      const progressed = state.tries === 1 || bytes >= state.furthestBytes + progressBytes;
      state.triesWithoutProgress = progressed ? 1 : state.triesWithoutProgress + 1;
      state.furthestBytes = Math.max(state.furthestBytes, bytes);
      const faults = [...givenUp.values(), fault];
      const decision = nextAfterFailure(fault.code, {
        tries: state.tries,
        triesWithoutProgress: state.triesWithoutProgress,
        resumes,
        otherSources: left().filter((other) => other !== index).length,
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
        alone = true;
        first = (index + 1) % sources.length;
        for (const one of states) Object.assign(one, { tries: 0, triesWithoutProgress: 0, furthestBytes: 0 });
      } else if (decision.next !== 'same-source') givenUp.set(index, fault);
      return decision;
    },
    standBy(spot) {
      stateOf(spot).standingBy = true;
    },
    isStandingBy: (spot) => stateOf(spot).standingBy,
    widen() {
      const usable = left();
      if (alone || new Set(usable.map((index) => sources[index]!.rank)).size <= 1 + extraRanks) return false;
      extraRanks += 1;
      return true;
    },
    verdict: () => verdictOf(plan, givenUp, lastFault!, refusal),
  };
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
