import { type FetchErrorCode, fetchErrors } from './errors.ts';

/** What the decision after a failed attempt depends on, apart from the failure itself. */
export interface Situation {
  /** Failed tries at this source within this checksum attempt, the one just failed included. */
  readonly tries: number;
  /** Those since the one that got furthest, it included: 1 after a first try and after every try that got further. */
  readonly triesWithoutProgress: number;
  /** True when a further try goes on where this one ended. */
  readonly resumes: boolean;
  /** Sources besides this one that have not been given up. */
  readonly otherSources: number;
  /** 1-based. */
  readonly checksumAttempt: number;
  readonly checksumAttempts: number;
  /** What is known of the bytes of this attempt. */
  readonly digest: 'none-expected' | 'not-verified' | 'matched';
  /** True when every source so far, this one included, was refused by the egress policy. */
  readonly onlyPolicyRefusals: boolean;
  /** True when an earlier source of this fetch sent an image that was refused. */
  readonly earlierRefusal: boolean;
  readonly retryAfterMs: number | undefined;
  /** 0 up to 1, for the jitter of the wait. */
  readonly random: number;
}

export type Decision =
  | { readonly next: 'same-source'; readonly delayMs: number }
  | { readonly next: 'next-source' | 'next-checksum-attempt' | 'next-host' | 'stop' };

/**
 * How often a source is asked again without getting further than before. A stall has cost the whole stall time already,
 * and a source that ends at the same byte twice is short rather than interrupted.
 */
const retriesWithoutProgress: Partial<Record<FetchErrorCode, number>> = {
  TRANSFER_STALLED: 1,
  TRANSFER_CUT: 1,
};
const defaultRetriesWithoutProgress = 2;
/** Where a transfer starts over, even progress does not buy tries without end; where it goes on, it does. */
const mostTries = 5;

const firstDelayMs = 250;
const longestDelayMs = 10_000;
const longestRetryAfterMs = 30_000;

/**
 * The one place that decides what a failure leads to. Pure.
 *
 * An image that is refused while a digest is expected and not yet verified: the bytes may be those of one bad mirror, so
 * the next source is asked, this one never again, and the refusal is final when no source is left. Nothing refused is
 * ever written or asked for twice, and a hostile mirror cannot stop a fetch that an honest one would complete.
 */
export function nextAfterFailure(code: FetchErrorCode, situation: Situation): Decision {
  switch (fetchErrors[code].outcome) {
    case 'same-source':
      return mayRetry(code, situation)
        ? { next: 'same-source', delayMs: delayBefore(situation) }
        : giveUpSource(situation);
    case 'next-source':
      return giveUpSource(situation);
    case 'policy':
      return situation.otherSources === 0 && situation.onlyPolicyRefusals
        ? { next: 'stop' }
        : giveUpSource(situation);
    case 'wrong-piece':
      // the piece is fetched from another source; the only one there is may do better the next time
      return situation.otherSources === 0 && mayRetry(code, situation)
        ? { next: 'same-source', delayMs: delayBefore(situation) }
        : giveUpSource(situation);
    case 'wrong-bytes':
      return afterWrongBytes(situation);
    case 'refused':
      return situation.digest === 'not-verified' && situation.otherSources > 0
        ? { next: 'next-source' }
        : { next: 'stop' };
    case 'next-host':
      return { next: 'next-host' };
    case 'stop':
      return { next: 'stop' };
  }
}

function giveUpSource(situation: Situation): Decision {
  if (situation.otherSources > 0) return { next: 'next-source' };
  return { next: situation.earlierRefusal ? 'stop' : 'next-host' };
}

function afterWrongBytes(situation: Situation): Decision {
  // verified bytes that do not unpack are what was published: every source has the same
  if (situation.digest === 'matched') return { next: 'stop' };
  if (situation.digest === 'none-expected') return giveUpSource(situation);
  if (situation.checksumAttempt < situation.checksumAttempts) return { next: 'next-checksum-attempt' };
  return { next: situation.earlierRefusal ? 'stop' : 'next-host' };
}

function mayRetry(code: FetchErrorCode, situation: Situation): boolean {
  const retries = retriesWithoutProgress[code] ?? defaultRetriesWithoutProgress;
  return situation.triesWithoutProgress <= retries && (situation.resumes || situation.tries < mostTries);
}

function delayBefore({ triesWithoutProgress, retryAfterMs, random }: Situation): number {
  if (retryAfterMs !== undefined) return Math.min(retryAfterMs, longestRetryAfterMs);
  const exponential = firstDelayMs * 2 ** Math.max(0, triesWithoutProgress - 1);
  // half fixed, half random: hosts that lost the same server do not all come back at once
  return Math.round(Math.min(longestDelayMs, exponential) * (0.5 + random / 2));
}
