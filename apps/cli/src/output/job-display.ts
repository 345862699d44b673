import type { Job, JobProgress } from '@millrace/api-client';
import { attemptText, briefly, sourceText } from './attempts.ts';
import type { LiveLine } from './live-line.ts';
import { formatBytes, formatDuration, formatPart, formatRate, formatSeconds } from './quantities.ts';

export interface JobDisplay {
  /** Shows what an answer brought: a new phase, a failed source or host, bytes. */
  update(job: Job): void;
  /** Says that polling has trouble, once per spell of it. */
  trouble(message: string): void;
  /** Ends the last phase as `ended` says and takes the live line away. */
  finish(ended: 'done' | 'failed' | 'left'): void;
}

/** Between two lines about one phase where no line can be rewritten: a log of hours should tell that something moves. */
const quietMs = 30_000;

/**
 * Shows a job while it runs. On a terminal: one line that moves, each phase left behind as a line when it is over.
 * Elsewhere: one line when a phase begins, and one now and then while it goes on. Failed attempts are lines in both.
 * @param clock milliseconds, for phases whose duration the server does not give
 */
export function makeJobDisplay(deps: {
  readonly live: LiveLine;
  readonly isTty: boolean;
  readonly clock: () => number;
}): JobDisplay {
  const { live, isTty, clock } = deps;
  let current: Current | undefined;
  let printedAt = 0;
  let troubled = false;
  const told = new Set<string>();
  const seenPhases = new Set<string>();
  const endPhase = (symbol: string, job?: Job) => {
    if (current !== undefined && isTty) live.print(endedPhase(symbol, current, { job, now: clock() }));
  };
  const passed = (phases: readonly [string, number][]) => {
    for (const [phase, took] of phases) {
      const text = [phaseText(phase), ...duration(took)].join(' · ');
      live.print(isTty ? `✓ ${text}` : text);
    }
  };

  return {
    update(job) {
      if (troubled) live.print('✓ The server answers again.');
      troubled = false;
      const { progress } = job;
      const key = progress && `${progress.phase}\n${progress.hostname ?? ''}`;
      const changed = key !== current?.key && progress !== undefined;
      const phases = changed ? passedPhases(progress, seenPhases) : [];
      const endsEarly = changed && current !== undefined && isEarly(current.progress.phase);
      // a host is chosen before anything can fail on it, whatever the poll that brings both makes of it
      if (endsEarly) endPhase('✓', job);
      passed(phases.filter(([phase]) => isEarly(phase)));
      for (const line of newFailures(job, told, isTty)) live.print(line);
      if (progress === undefined || key === undefined) return;
      const line = progressLine(job);
      if (!changed && current !== undefined) current = { ...current, progress };
      else {
        if (!endsEarly) endPhase('✓', job);
        passed(phases.filter(([phase]) => !isEarly(phase)));
        seenPhases.add(progress.phase);
        current = { key, progress, since: clock() };
      }
      if (!isTty && (changed || clock() - printedAt >= quietMs)) {
        live.print(line);
        printedAt = clock();
      }
      live.show(line);
    },
    trouble(message) {
      if (!troubled) live.print(`! ${message} The job goes on; still asking.`);
      troubled = true;
    },
    finish(ended) {
      if (ended !== 'left') endPhase(ended === 'done' ? '✓' : '✗');
      current = undefined;
      live.clear();
    },
  };
}

/** The phase that goes on, as the last answer had it, and since when (by the clock that was given). */
interface Current {
  readonly key: string;
  readonly progress: JobProgress;
  readonly since: number;
}

/** The line that stays of a phase. The answer that brings the next one knows best how long it took and what it moved. */
function endedPhase(
  symbol: string,
  { progress, since }: Current,
  { job, now }: { readonly job: Job | undefined; readonly now: number },
): string {
  const took = (job?.progress?.phasems ?? progress.phasems)?.[progress.phase] ?? now - since;
  const parts = phaseParts(progress, job && movedBytes(job));
  return [`${symbol} ${phaseText(progress.phase)}`, ...parts, ...duration(took)].join(' · ');
}

/** Whether a phase comes before any source is tried. */
function isEarly(phase: string): boolean {
  const position = usualOrder.indexOf(phase);
  return position >= 0 && position < usualOrder.indexOf('transferring');
}

/** `host chosen`: phases are spelt with dashes on the wire. */
function phaseText(phase: string): string {
  return phase.replaceAll('-', ' ');
}

/** A moment is not worth a word. */
function duration(milliseconds: number): string[] {
  return milliseconds < 0.5 ? [] : [formatDuration(milliseconds)];
}

/** What the last source that ended well has moved: the poll before it ended saw less. */
function movedBytes(job: Job): string | undefined {
  const source = job.attempts.at(-1)?.sources.findLast(({ state }) => state === 'succeeded');
  return source?.bytes ? formatBytes(source.bytes) : undefined;
}

const usualOrder = [
  'host-chosen',
  'waiting-for-transfer',
  'planning',
  'transferring',
  'verifying',
  'unpacking',
  'inspecting',
  'converting',
  'committing',
  'committed',
  'creating-volume',
  'starting',
];

/** Phases that came and went between two polls, with their durations: short is not the same as skipped. */
function passedPhases(progress: JobProgress, seen: Set<string>): [string, number][] {
  const passed = Object.entries(progress.phasems ?? {})
    .filter(([phase]) => phase !== progress.phase && !seen.has(phase))
    // the server's object has lost the order by the time it arrives
    .sort(([a], [b]) => usualOrder.indexOf(a) - usualOrder.indexOf(b));
  for (const [phase] of passed) seen.add(phase);
  return passed;
}

/** What stays of a phase once it is over: where it happened and how much was moved, not how fast it was just then. */
function phaseParts(progress: JobProgress, moved: string | undefined): string[] {
  const isTransfer = progress.phase === 'transferring';
  return [
    ...(progress.hostname ? [`host ${progress.hostname}`] : []),
    ...(isTransfer && moved ? [moved] : []),
    ...(isTransfer && !moved && progress.bytes ? [formatPart(progress.bytes, progress.totalbytes)] : []),
    ...(progress.message ? [progress.message] : []),
  ];
}

/**
 * `27% transferring · host node1 · 12.3/45.0 MB · 40 MB/s · ETA 1 s · mirror 2/2 http://m/a.qcow2`: the percentage is
 * the whole job's; what a narrow terminal cuts off comes last.
 */
export function progressLine(job: Job): string {
  const { progress } = job;
  if (progress === undefined) return job.status;
  const source = sourceOf(job, progress);
  const percent = progress.percent === undefined ? '' : `${Math.floor(progress.percent)}% `;
  const moves = progress.phase === 'transferring' || progress.phase === 'waiting-for-transfer';
  return [
    `${percent}${phaseText(progress.phase)}`,
    ...(progress.hostname ? [`host ${progress.hostname}`] : []),
    ...(progress.message ? [progress.message] : []),
    ...(progress.bytes ? [formatPart(progress.bytes, progress.totalbytes)] : []),
    ...(moves && progress.bytespersecond ? [formatRate(progress.bytespersecond)] : []),
    ...(!moves || progress.etaseconds === undefined ? [] : [`ETA ${formatSeconds(progress.etaseconds)}`]),
    ...(moves && source ? [source] : []),
  ].join(' · ');
}

function sourceOf(job: Job, progress: JobProgress): string | undefined {
  const { url } = progress;
  if (!url) return undefined;
  const rank = job.attempts.at(-1)?.sources.findLast((source) => source.state === 'running')?.sourcerank;
  if (rank === undefined) return url;
  return progress.sourcecount === undefined
    ? `mirror ${rank} ${url}`
    : `mirror ${rank}/${progress.sourcecount} ${url}`;
}

/** Lines for sources and hosts that have failed since the last answer; `told` remembers them. A log gets all of it. */
function newFailures(job: Job, told: Set<string>, isTty: boolean): string[] {
  const lines: string[] = [];
  const tell = (key: string, failed: boolean, text: () => string) => {
    if (!failed || told.has(key)) return;
    told.add(key);
    lines.push(text());
  };
  for (const [index, attempt] of job.attempts.entries()) {
    for (const [rank, source] of attempt.sources.entries()) {
      tell(
        `${index}.${rank}`,
        source.state === 'failed',
        () => `  ${isTty ? briefly(source) : sourceText(source)}`,
      );
    }
    // the end of the job tells of the last host in full
    const tellHost = attempt.state?.toLowerCase() === 'failed' && (!isTty || index < job.attempts.length - 1);
    tell(`${index}`, tellHost, () => attemptText(attempt));
  }
  return lines;
}
