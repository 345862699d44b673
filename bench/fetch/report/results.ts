import type { Run } from '../measure/stand.ts';

/** What a run of the benchmark came to: the content of results.json. */

export interface Entry {
  readonly name: string;
  readonly kind: 'millrace' | 'cloudstack' | 'peer' | 'bound';
  readonly verifies: boolean;
  readonly runs: readonly Run[];
  /** Why there are no more runs. */
  readonly failure?: string;
  /** It did not take part: a program that it needs is not installed. */
  readonly missing?: string;
}

/** Ratio of the medians of two times, and what it should be. */
export interface Target {
  readonly text: string;
  readonly column: 'cloudstack' | 'peer' | 'bound';
  readonly of: Side;
  readonly to: Side;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/**
 * `millrace`: in the agent; `peer`: the best that verifies; `bound`: the slowest or the fastest of the bounds, as the case
 * has it; otherwise the entry of that name.
 */
export type Side = 'millrace' | 'cloudstack' | 'peer' | 'bound' | { readonly entry: string };

export interface JudgedTarget {
  readonly text: string;
  readonly column: Target['column'];
  /** What was measured, as text; `undefined` when something of it was not. */
  readonly value?: string;
  readonly met?: boolean;
}

export interface CaseResult {
  readonly name: string;
  readonly title: string;
  /** Size of the image as the pool stores it. */
  readonly imageBytes: number;
  /** Of these bytes, what is not zeros. */
  readonly dataBytes: number;
  readonly entries: readonly Entry[];
  /** Seconds: nobody can be faster. */
  readonly boundSeconds?: number;
  readonly targets: readonly JudgedTarget[];
}

export interface Results {
  readonly machine: Readonly<Record<string, string>>;
  readonly rounds: number;
  readonly cases: readonly CaseResult[];
  /** Of several cases together. */
  readonly overall: readonly JudgedTarget[];
}
