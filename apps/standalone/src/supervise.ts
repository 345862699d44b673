import { describeError, MillraceError, sleep } from '@millrace/core';

/** What the supervisor needs of a child process. */
export interface Child {
  readonly pid: number | undefined;
  /** Resolves when the process has ended: `exit code 1`, `signal SIGKILL`, `it could not be started: …`. */
  readonly ended: Promise<string>;
  kill(signalName: NodeJS.Signals): void;
  /** Closes its standard input, which asks it to end when it watches that. */
  release(): void;
}

export interface SupervisedPart {
  /** As shown to people: `the server`. */
  readonly name: string;
  start(): Promise<Child>;
  /** Last lines of its log, for when it will not stay up. */
  logTail(): Promise<string>;
  readonly logPath: string;
}

export interface Supervisor {
  /** Rejects with `PART_KEEPS_FAILING` once the part has been given up. Never resolves. */
  readonly failed: Promise<never>;
  pid(): number | undefined;
  /** Sends `signalName`, and SIGKILL when the part has not ended in time. Resolves when it has ended. */
  stop(options: { readonly signalName: NodeJS.Signals; readonly timeoutMs: number }): Promise<void>;
  /** SIGKILL at once. */
  kill(): void;
}

export interface SuperviseOptions {
  readonly line: (text: string) => void;
  /** Milliseconds, rising. */
  readonly now: () => number;
  /** Pause before the nth restart within the window, milliseconds. */
  readonly pauseMs?: (crashes: number) => number;
}

/** So many unexpected ends within the window are enough: something is wrong that a restart does not mend. */
const crashLimit = 5;
const crashWindowMs = 60_000;

/** 0.2 s, 0.4 s, 0.8 s, …: short, because most crashes are single ones, and rising, so that a broken part cannot spin. */
export function restartPauseMs(crashes: number): number {
  return Math.min(200 * 2 ** (crashes - 1), 5000);
}

/**
 * Starts a part, and starts it again whenever it ends without having been asked to.
 * @throws what `part.start` throws at the first start; a failing restart counts as a crash
 */
export async function supervise(part: SupervisedPart, options: SuperviseOptions): Promise<Supervisor> {
  const { line, now, pauseMs = restartPauseMs } = options;
  const stopping = new AbortController();
  const failed = Promise.withResolvers<never>();
  // whoever waits for it hears of it; nobody has to
  failed.promise.catch(() => {});
  let child = await part.start();

  const watch = async () => {
    let crashes: number[] = [];
    for (;;) {
      const why = await child.ended;
      if (stopping.signal.aborted) return;
      crashes = [...crashes.filter((time) => now() - time < crashWindowMs), now()];
      if (crashes.length >= crashLimit) throw await keepsFailing(part, why);
      const pause = pauseMs(crashes.length);
      line(`! ${part.name} ended unexpectedly (${why}); starting it again. Log: ${part.logPath}`);
      await sleep(pause, stopping.signal);
      child = await startOrEnded(part);
      // asked to stop while it started
      if (stopping.signal.aborted) child.kill('SIGTERM');
    }
  };
  const watching = watch().catch((error: unknown) => {
    if (!stopping.signal.aborted) failed.reject(error);
  });

  return {
    failed: failed.promise,
    pid: () => child.pid,
    kill: () => child.kill('SIGKILL'),
    async stop({ signalName, timeoutMs }) {
      stopping.abort(new Error(`${part.name} is being stopped`));
      child.kill(signalName);
      const timer = setTimeout(() => {
        line(`! ${part.name} did not end within ${timeoutMs / 1000} s and was killed`);
        child.kill('SIGKILL');
      }, timeoutMs);
      try {
        await child.ended;
        // a restart that was under way has seen the request by then, and its child ends too
        await watching;
        await child.ended;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

async function startOrEnded(part: SupervisedPart): Promise<Child> {
  try {
    return await part.start();
  } catch (error) {
    const ended = Promise.resolve(`it could not be started: ${describeError(error)}`);
    return { pid: undefined, ended, kill: () => {}, release: () => {} };
  }
}

async function keepsFailing(part: SupervisedPart, why: string): Promise<MillraceError> {
  const tail = (await part.logTail()).trim();
  return new MillraceError(
    'PART_KEEPS_FAILING',
    `${part.name} ended ${crashLimit} times within a minute, the last time with ${why}. The end of ${part.logPath}:\n` +
      `${tail === '' ? '  (empty)' : tail.replace(/^/gm, '  ')}`,
  );
}
