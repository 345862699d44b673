import { makeLatestWriter } from './latest-writer.ts';
import type { JobProgress } from './queue.ts';

export interface ProgressReporter {
  /** Cheap and immediate; what is written is the latest, at most twice a second. A lower percent is raised. */
  report(progress: JobProgress): void;
  /** Milliseconds per phase so far, the current phase included. */
  phaseMs(): Record<string, number>;
  /** Writes what has not been written yet. */
  flush(): Promise<void>;
}

export interface ProgressOptions {
  /** What an earlier worker had reported: percent and times go on from there. */
  readonly initial: Pick<JobProgress, 'percent' | 'phasems'> | undefined;
  readonly write: (progress: JobProgress) => Promise<void>;
  /** Milliseconds on a clock that never goes back. */
  readonly now: () => number;
  readonly minIntervalMs?: number;
}

export function makeProgressReporter(options: ProgressOptions): ProgressReporter {
  const spent: Record<string, number> = { ...options.initial?.phasems };
  let percent = options.initial?.percent ?? 0;
  let phase: { name: string; since: number } | undefined;

  const phaseMs = () => {
    const times = { ...spent };
    if (phase) times[phase.name] = Math.round((times[phase.name] ?? 0) + options.now() - phase.since);
    return times;
  };
  const writer = makeLatestWriter<JobProgress>({
    write: (progress) => options.write({ ...progress, phasems: phaseMs() }),
    minIntervalMs: options.minIntervalMs ?? 500,
    now: options.now,
  });

  return {
    report(progress) {
      percent = Math.min(100, Math.max(percent, Math.floor(progress.percent)));
      if (phase?.name !== progress.phase) {
        Object.assign(spent, phaseMs());
        phase = { name: progress.phase, since: options.now() };
      }
      writer.offer({ ...progress, percent });
    },
    phaseMs,
    flush: () => writer.flush(),
  };
}
