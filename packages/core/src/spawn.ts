import { type ChildProcessByStdio, type StdioOptions, spawn } from 'node:child_process';
import type { EventEmitter } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { MillraceError } from './error.ts';

export interface SpawnOptions {
  readonly signal: AbortSignal;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Signal sent on abort. Default SIGKILL: children hold nothing that needs a farewell unless said otherwise. */
  readonly killSignal?: NodeJS.Signals;
  /** Give it a process group of its own and send the signal to all of that: for programs that start others. */
  readonly wholeGroup?: boolean;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
}

const outputLimitBytes = 8 * 1024 * 1024;
const stderrTailBytes = 4096;

/**
 * Starts a program: the only place in Millrace that does. Arguments are a list, never a string, and no shell is ever
 * involved, so nothing a user or a server sent can become a command.
 */
export function spawnProgram(
  file: string,
  argv: readonly string[],
  options: SpawnOptions & { readonly stdio: StdioOptions },
): ChildProcessByStdio<Writable | null, Readable | null, Readable | null> {
  const { signal, killSignal = 'SIGKILL', wholeGroup = false } = options;
  const child = spawn(file, [...argv], {
    stdio: options.stdio,
    shell: false,
    signal,
    killSignal,
    detached: wholeGroup,
    // LC_ALL=C: output is parsed, and errors are matched, in one language
    env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  }) as ChildProcessByStdio<Writable | null, Readable | null, Readable | null>;
  if (wholeGroup && child.pid !== undefined) killGroupOnAbort(child, child.pid, { signal, killSignal });
  return child;
}

/** As long as the group has not ended: its number may be another one's afterwards. */
function killGroupOnAbort(
  child: EventEmitter,
  group: number,
  { signal, killSignal }: { readonly signal: AbortSignal; readonly killSignal: NodeJS.Signals },
): void {
  const kill = () => {
    try {
      process.kill(-group, killSignal);
    } catch {
      // it has just ended
    }
  };
  signal.addEventListener('abort', kill, { once: true });
  // not at its exit: others of the group may hold its streams open
  child.once('close', () => signal.removeEventListener('abort', kill));
}

/**
 * Runs a program to its end and returns what it printed.
 * @throws MillraceError `PROGRAM_MISSING` when it is not installed, `PROGRAM_FAILED` with `details.exitCode` and the
 * tail of stderr when it exits non-zero, `PROGRAM_OUTPUT_TOO_LARGE`; the signal's reason when aborted.
 */
export async function runProgram(
  file: string,
  argv: readonly string[],
  options: SpawnOptions & {
    readonly input?: string | Uint8Array;
    /** Open files that the program finds as its descriptors 3, 4, …: for secrets, which everybody could read in `argv`. */
    readonly descriptors?: readonly number[];
  },
): Promise<CommandResult> {
  options.signal.throwIfAborted();
  const child = spawnProgram(file, argv, {
    ...options,
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...(options.descriptors ?? [])],
  });
  const exited = Promise.withResolvers<number>();
  child.once('error', exited.reject);
  child.once('close', (code, signalName) => exited.resolve(code ?? (signalName ? 128 : 1)));
  if (child.stdin) {
    // a program may exit before it has read everything: its exit code says what happened, EPIPE does not
    child.stdin.once('error', () => {});
    child.stdin.end(options.input);
  }
  try {
    const [stdout, stderr, exitCode] = await Promise.all([
      collect(child.stdout, file),
      collect(child.stderr, file),
      exited.promise,
    ]);
    if (exitCode !== 0) {
      throw new MillraceError(
        'PROGRAM_FAILED',
        `${file} failed: ${stderr.slice(-stderrTailBytes).trim() || `exit code ${exitCode}`}`,
        {
          details: { file, exitCode, stderr: stderr.slice(-stderrTailBytes) },
        },
      );
    }
    return { stdout, stderr };
  } catch (error) {
    child.kill('SIGKILL');
    if (options.signal.aborted) throw options.signal.reason;
    if (typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT') {
      throw new MillraceError('PROGRAM_MISSING', `${file} is not installed`, {
        cause: error,
        details: { file },
      });
    }
    throw error;
  }
}

async function collect(stream: Readable | null, file: string): Promise<string> {
  if (!stream) return '';
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > outputLimitBytes) {
      throw new MillraceError(
        'PROGRAM_OUTPUT_TOO_LARGE',
        `${file} printed more than ${outputLimitBytes} bytes`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
