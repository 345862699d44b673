import type { Console } from '../output/console.ts';

/** What main.ts hands to every command: nothing below reads the process itself. */
export interface CliContext {
  readonly console: Console;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly paths: { readonly config: string; readonly state: string };
  readonly readFile: (path: string, signal: AbortSignal) => Promise<string>;
  /** The first line of standard input, for secrets that shall not stand on the command line. */
  readonly readSecret: (signal: AbortSignal) => Promise<string>;
  /** Standard input, for what talks with a person; absent where there is none. */
  readonly input?: NodeJS.ReadStream;
  /** Milliseconds on a clock that never goes back. */
  readonly clock: () => number;
  /** Aborts on Ctrl-C, with Interrupted. */
  readonly signal: AbortSignal;
}
