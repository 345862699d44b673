import type { Entry, JudgedTarget, Side, Target } from './results.ts';
import { median } from './statistics.ts';

/** How the bound of a case follows from what was measured: everything has to be passed, or the best way counts. */
export type BoundRule = 'slowest' | 'fastest' | { readonly seconds: number };

export const agentName = 'Millrace, agent';

/** Median seconds of an entry that had all its rounds. */
export function secondsOf(entry: Entry | undefined): number | undefined {
  if (entry === undefined || entry.failure !== undefined) return undefined;
  return median(entry.runs.map(({ seconds }) => seconds));
}

/** @returns seconds, or `undefined` when a bound was not measured: a part of them would be too low or too high */
export function boundOf(entries: readonly Entry[], rule: BoundRule): number | undefined {
  if (typeof rule === 'object') return rule.seconds;
  const bounds = entries.filter(({ kind, missing }) => kind === 'bound' && missing === undefined);
  const seconds = bounds.map(secondsOf).filter((value) => value !== undefined);
  if (seconds.length === 0 || seconds.length < bounds.length) return undefined;
  return rule === 'slowest' ? Math.max(...seconds) : Math.min(...seconds);
}

/** The fastest peer that verifies what it fetched. */
export function bestPeer(entries: readonly Entry[]): Entry | undefined {
  const finished = entries.filter(
    (entry) => entry.kind === 'peer' && entry.verifies && secondsOf(entry) !== undefined,
  );
  return finished.toSorted((a, b) => secondsOf(a)! - secondsOf(b)!)[0];
}

/** Holds the medians against the targets. What was not measured is neither met nor missed. */
export function judge(
  targets: readonly Target[],
  entries: readonly Entry[],
  rule: BoundRule,
): JudgedTarget[] {
  const seconds = (side: Side): number | undefined => {
    if (side === 'bound') return boundOf(entries, rule);
    if (side === 'peer') return secondsOf(bestPeer(entries));
    if (side === 'cloudstack') return secondsOf(entries.find(({ kind }) => kind === 'cloudstack'));
    const name = side === 'millrace' ? agentName : side.entry;
    return secondsOf(entries.find((entry) => entry.name === name));
  };
  return targets.map(({ text, column, of, to, atLeast, atMost }) => {
    const [above, below] = [seconds(of), seconds(to)];
    if (above === undefined || below === undefined) return { text, column };
    const ratio = above / below;
    const met = (atLeast === undefined || ratio >= atLeast) && (atMost === undefined || ratio <= atMost);
    return { text, column, value: `${ratio.toFixed(2)}×`, met };
  });
}

/** Peak memory and bytes written are held against targets over several cases. */
export function judgeOverall(
  cases: readonly {
    readonly name: string;
    readonly dataBytes: number;
    readonly imageBytes: number;
    readonly entries: readonly Entry[];
  }[],
): JudgedTarget[] {
  const agentRuns = (name: string) =>
    cases.find((each) => each.name === name)?.entries.find((entry) => entry.name === agentName)?.runs ?? [];
  return [...judgeWritten(cases, agentRuns), ...judgeMemory(cases, agentRuns)];
}

type Cases = Parameters<typeof judgeOverall>[0];
type RunsOf = (name: string) => Entry['runs'];

const writtenLimit = 1.02;
const memoryLimitBytes = 200e6;
/** Peaks that differ by no more are the same: they are sampled, and a garbage collector is behind them. */
const flatWithin = 1.15;

function judgeWritten(cases: Cases, runsOf: RunsOf): JudgedTarget[] {
  return cases
    .filter(({ name }) => name === 'qcow2' || name === 'raw')
    .flatMap(({ name, imageBytes }): JudgedTarget[] => {
      const written = median(runsOf(name).map(({ writtenBytes }) => writtenBytes));
      const text = `bytes written / image size, ${name}: ≤ ${writtenLimit}`;
      if (written === undefined) return [{ text, column: 'bound' }];
      const ratio = written / imageBytes;
      return [{ text, column: 'bound', value: ratio.toFixed(3), met: ratio <= writtenLimit }];
    });
}

function judgeMemory(cases: Cases, runsOf: RunsOf): JudgedTarget[] {
  const peak = (name: string) => Math.max(...runsOf(name).map(({ allProcessesBytes }) => allProcessesBytes));
  const measured = cases.map(({ name }) => name).filter((name) => runsOf(name).length > 0);
  if (measured.length === 0) return [];
  const worst = measured.toSorted((a, b) => peak(b) - peak(a))[0]!;
  const megabytes = (name: string) => `${Math.round(peak(name) / 1e6)} MB`;
  const most: JudgedTarget = {
    text: 'peak memory of agent and decompressors, every case: ≤ 200 MB',
    column: 'bound',
    value: `${megabytes(worst)} (${worst})`,
    met: peak(worst) <= memoryLimitBytes,
  };
  const text = `peak memory, whole image against a quarter of it: ≤ ${flatWithin}×`;
  if (!measured.includes('qcow2') || !measured.includes('small')) return [most, { text, column: 'bound' }];
  const growth = peak('qcow2') / peak('small');
  const value = `${growth.toFixed(2)}× (${megabytes('small')}, ${megabytes('qcow2')})`;
  return [most, { text, column: 'bound', value, met: growth <= flatWithin }];
}
