/** Where the launcher tells the person at the terminal what it does. */
export interface Progress {
  /**
   * Runs one step and prints one line for it: a tick, the title, what `run` returns, and how long it took. While it
   * runs, `note` shows what it is at; on a terminal in place, elsewhere as a line of its own.
   */
  step<T>(title: string, run: (note: (text: string) => void) => Promise<Outcome<T>>): Promise<T>;
  line(text: string): void;
  /** A line that is replaced by the next one on a terminal; elsewhere nothing. */
  live(text: string): void;
}

export interface Outcome<T> {
  readonly value: T;
  /** What was found or done: `all 15 there`. */
  readonly detail?: string;
}

export interface ProgressOptions {
  readonly write: (text: string) => void;
  readonly isTerminal: boolean;
  /** Columns of the terminal, asked anew for every live line. */
  readonly columns: () => number;
  /** Milliseconds, rising. */
  readonly now: () => number;
}

const clearLine = '\r\x1b[2K';

/** Prints steps as lines that also read well in a log file. */
export function makeProgress({ write, isTerminal, columns, now }: ProgressOptions): Progress {
  let liveShown = false;
  const line = (text: string) => {
    write(`${liveShown ? clearLine : ''}${text}\n`);
    liveShown = false;
  };
  const live = (text: string) => {
    if (!isTerminal) return;
    // a line that wraps could not be cleared
    write(`${clearLine}${text.slice(0, Math.max(20, columns() - 1))}`);
    liveShown = true;
  };
  return {
    line,
    live,
    async step(title, run) {
      const begun = now();
      live(`· ${title} …`);
      try {
        const { value, detail } = await run((text) =>
          isTerminal ? live(`· ${title}: ${text}`) : line(`· ${title}: ${text}`),
        );
        line(`✔ ${title}${detail === undefined ? '' : `: ${detail}`}  ${formatDuration(now() - begun)}`);
        return value;
      } catch (error) {
        line(`✘ ${title}  ${formatDuration(now() - begun)}`);
        throw error;
      }
    },
  };
}

/** Milliseconds as `0.04 s`, `1.3 s`, `2 min 5 s`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 1) return `${seconds.toFixed(2)} s`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** Bytes as `512 B`, `15.4 MB` (powers of 1000, as network people count). */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${Math.round(bytes)} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = bytes / 1000;
  let unit = 0;
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}
