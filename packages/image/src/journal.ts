import { type Digest, formatChecksum, redactUrl } from '@millrace/core';
import type { Spot } from './course.ts';
import { makeRate } from './rate.ts';
import type { ImagePhase, ImageProgress, SourceAttempt } from './types.ts';

/** The record of one fetch while it runs: attempts, phases, warnings; reported to whoever listens. */
export interface Journal extends Disposable {
  readonly attempts: readonly SourceAttempt[];
  readonly warnings: readonly string[];
  readonly phaseMs: Readonly<Record<string, number>>;
  warn(text: string): void;
  enterPhase(phase: ImagePhase): void;
  startAttempt(spot: Spot): AttemptRecord;
  /** The bytes are counted anew: a transfer begins, with what an interrupted one had left. */
  beginTransfer(bytes: { readonly done: number; readonly total: number | undefined }): void;
}

export interface AttemptRecord {
  readonly bytes: number;
  readonly state: SourceAttempt['state'];
  setTotal(bytes: number | undefined): void;
  addBytes(count: number): void;
  fail(fault: FailedAttempt, next: NonNullable<SourceAttempt['next']>): void;
  succeed(): void;
  /** For an attempt that fetched a metalink: nothing of the image, so nothing to tell. */
  forget(): void;
}

export interface FailedAttempt {
  readonly code: string;
  readonly message: string;
  readonly received?: Digest | undefined;
}

export interface JournalOptions {
  readonly onProgress: ((progress: ImageProgress) => void) | undefined;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}

const reportEveryMs = 200;
/** Reports go on while nothing arrives, so that a stall shows as a falling rate and not as a frozen picture. */
const heartbeatMs = 1000;
/** Attempts are bounded by sources and tries; what a message carries is bounded here. */
const mostAttempts = 400;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface RunningAttempt {
  readonly attempt: Mutable<SourceAttempt>;
  readonly startedAt: number;
}

export function makeJournal({ onProgress, now }: JournalOptions): Journal {
  const attempts: Mutable<SourceAttempt>[] = [];
  const warnings: string[] = [];
  const phases = makePhaseClock(now);
  const rate = makeRate(now);
  let reportedAt = Number.NEGATIVE_INFINITY;
  const running = new Set<RunningAttempt>();
  let shown: Mutable<SourceAttempt> | undefined;
  let bytes = 0;
  let totalBytes: number | undefined;

  const report = () => {
    if (!onProgress) return;
    reportedAt = now();
    for (const one of running) measure(one, now());
    const facts = { bytes, totalBytes, url: shown?.url, rate: rate.perSecond() };
    onProgress(progressOf(phases.current(), facts, attempts));
  };
  const heartbeat = setInterval(() => {
    if (now() - reportedAt >= heartbeatMs) report();
  }, heartbeatMs);
  heartbeat.unref();

  return {
    get attempts() {
      return attempts.map((attempt) => ({ ...attempt }));
    },
    warnings,
    get phaseMs() {
      return phases.milliseconds();
    },
    warn(text) {
      if (!warnings.includes(text) && warnings.length < 100) warnings.push(text);
    },
    enterPhase(next) {
      if (phases.enter(next)) report();
    },
    beginTransfer({ done, total }) {
      bytes = done;
      totalBytes = total;
      rate.restart();
      report();
    },
    startAttempt(spot) {
      const started: RunningAttempt = { attempt: newAttempt(spot), startedAt: now() };
      attempts.push(started.attempt);
      if (attempts.length > mostAttempts) attempts.shift();
      if (running.size === 0) shown = started.attempt;
      running.add(started);
      report();
      const leave = () => {
        running.delete(started);
        const [next] = running;
        if (next && shown === started.attempt) shown = next.attempt;
      };
      return recordOf(started, {
        onTotal(total) {
          totalBytes ??= total;
        },
        onBytes(count) {
          bytes += count;
          rate.add(count);
          if (now() - reportedAt >= reportEveryMs) report();
        },
        onEnd(change) {
          measure(started, now());
          Object.assign(started.attempt, change);
          leave();
          report();
        },
        onForget() {
          attempts.splice(0, attempts.length, ...attempts.filter((attempt) => attempt !== started.attempt));
          leave();
          shown = undefined;
        },
      });
    },
    [Symbol.dispose]: () => clearInterval(heartbeat),
  };
}

interface RecordEvents {
  onTotal(bytes: number): void;
  onBytes(count: number): void;
  onEnd(change: Partial<SourceAttempt>): void;
  onForget(): void;
}

function recordOf({ attempt }: RunningAttempt, events: RecordEvents): AttemptRecord {
  return {
    get bytes() {
      return attempt.bytes;
    },
    get state() {
      return attempt.state;
    },
    setTotal(bytes) {
      if (bytes === undefined) return;
      attempt.totalBytes = bytes;
      events.onTotal(bytes);
    },
    addBytes(count) {
      attempt.bytes += count;
      events.onBytes(count);
    },
    fail: ({ code, message, received }, next) =>
      events.onEnd({
        state: 'failed',
        reason: code,
        message,
        ...(received === undefined ? {} : { checksum: formatChecksum(received) }),
        next,
      }),
    succeed: () => events.onEnd({ state: 'succeeded', next: 'done' }),
    forget: events.onForget,
  };
}

/** Brings duration and rate of a running attempt up to date; those of an ended one stay. */
function measure({ attempt, startedAt }: RunningAttempt, now: number): void {
  if (attempt.state !== 'running') return;
  const durationMs = now - startedAt;
  attempt.durationMs = Math.round(durationMs);
  attempt.bytesPerSecond = durationMs > 0 ? Math.round((attempt.bytes / durationMs) * 1000) : 0;
}

interface ProgressFacts {
  readonly bytes: number;
  readonly totalBytes: number | undefined;
  readonly url: string | undefined;
  readonly rate: number;
}

function progressOf(
  phase: ImagePhase,
  { bytes, totalBytes, url, rate }: ProgressFacts,
  attempts: readonly SourceAttempt[],
): ImageProgress {
  const bytesPerSecond = Math.round(rate);
  // bytes that are fetched again count twice on their way, but never beyond the whole
  const done = totalBytes === undefined ? bytes : Math.min(bytes, totalBytes);
  const left = totalBytes === undefined ? undefined : totalBytes - done;
  return {
    phase,
    ...(url === undefined ? {} : { url }),
    bytes: done,
    ...(totalBytes === undefined ? {} : { totalBytes }),
    bytesPerSecond,
    ...(left !== undefined && bytesPerSecond > 0 ? { etaSeconds: Math.round(left / bytesPerSecond) } : {}),
    attempts: attempts.map((one) => ({ ...one })),
  };
}

function newAttempt(spot: Spot): Mutable<SourceAttempt> {
  return {
    url: redactUrl(spot.source.url),
    sourceRank: spot.rank,
    ...(spot.source.location === undefined ? {} : { location: spot.source.location }),
    checksumAttempt: spot.checksumAttempt,
    tryNumber: spot.tryNumber,
    state: 'running',
    bytes: 0,
    bytesPerSecond: 0,
    durationMs: 0,
  };
}

interface PhaseClock {
  current(): ImagePhase;
  /** False when it is the current one already. */
  enter(phase: ImagePhase): boolean;
  /** Time spent in each phase so far. */
  milliseconds(): Record<string, number>;
}

function makePhaseClock(now: () => number): PhaseClock {
  const spent: Record<string, number> = {};
  let phase: ImagePhase = 'planning';
  let since = now();
  const settle = () => {
    spent[phase] = (spent[phase] ?? 0) + now() - since;
    since = now();
  };
  return {
    current: () => phase,
    enter(next) {
      if (next === phase) return false;
      settle();
      phase = next;
      return true;
    },
    milliseconds() {
      settle();
      return Object.fromEntries(Object.entries(spent).map(([name, time]) => [name, Math.round(time)]));
    },
  };
}
