import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { orAborted, sleep, spawnProgram } from '@millrace/core';
import { killTree, usageOf, watchMemory } from './process-tree.ts';

/** What one run cost. */
export interface Run {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly writtenBytes: number;
  readonly largestProcessBytes: number;
  readonly allProcessesBytes: number;
}

/**
 * A process that waits for a line, does what the line says, and answers with a line: `ok`, `ok SECONDS` when it has timed
 * itself, or `failed REASON`. A program that is measured as a whole is started by such a process, one that is long-lived
 * in real life is one; so both are measured the same way.
 */
export interface Stand {
  /** @throws Error with the reason when the work failed */
  run(line: string, signal: AbortSignal): Promise<Run>;
  /** Ends it and everything it started, without any warning. */
  kill(): Promise<void>;
}

export interface StandCommand {
  readonly file: string;
  readonly argv: readonly string[];
  /** Where it runs, and may leave what it wants to keep. */
  readonly directory: string;
}

/**
 * The command line client keeps compiled code in its state directory when there is one, as there is wherever it was used
 * before; the other Node processes get the same, as an installation gives it to an agent.
 */
export function environmentIn(directory: string): Record<string, string> {
  const state = join(directory, 'state');
  return {
    HOME: directory,
    TMPDIR: directory,
    MILLRACE_STATE_DIR: state,
    NODE_COMPILE_CACHE: join(state, 'compile-cache'),
  };
}

const stderrTailLength = 2000;

/** Starts the process and waits until it has said `ready`. */
export async function startStand(command: StandCommand, signal: AbortSignal): Promise<Stand> {
  // not the signal: it would end the process alone, and what that had started would go on
  const child = spawnProgram(command.file, command.argv, {
    signal: new AbortController().signal,
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: command.directory,
    env: environmentIn(command.directory),
  });
  const pid = child.pid;
  const exited = Promise.withResolvers<string>();
  child.once('error', (error) => exited.resolve(error.message));
  child.once('close', () => exited.resolve('the process has ended'));
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-stderrTailLength);
  });
  child.stdin?.on('error', () => {});
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const kill = async () => {
    if (pid !== undefined && child.exitCode === null && child.signalCode === null) killTree(pid);
    await exited.promise;
  };
  const answer = async (patience: AbortSignal): Promise<string> => {
    const line = lines
      .next()
      .then(async ({ value, done }) => (done ? `failed ${await exited.promise}` : value));
    return await orAborted<string>(line, patience);
  };
  const requireAnswer = async (word: string, patience: AbortSignal): Promise<string> => {
    const line = await answer(patience);
    if (line === word || line.startsWith(`${word} `)) return line;
    // what it said of it comes by another pipe, maybe later
    await sleep(100, patience);
    throw new Error(`${line.replace(/^failed /, '')} ${stderr.trim()}`.trim());
  };
  try {
    await requireAnswer('ready', signal);
  } catch (error) {
    await kill();
    throw error;
  }
  return {
    kill,
    async run(line, patience) {
      stderr = '';
      const before = usageOf(pid!);
      const memory = watchMemory(pid!);
      try {
        const began = performance.now();
        child.stdin!.write(`${line}\n`);
        const reply = await requireAnswer('ok', patience);
        const seconds = (performance.now() - began) / 1000;
        const after = usageOf(pid!);
        const { largestBytes, sumBytes } = memory.stop();
        return {
          seconds: Number(reply.slice('ok '.length)) || seconds,
          cpuSeconds: after.cpuSeconds - before.cpuSeconds,
          writtenBytes: after.writtenBytes - before.writtenBytes,
          largestProcessBytes: largestBytes,
          allProcessesBytes: sumBytes,
        };
      } finally {
        memory.stop();
      }
    },
  };
}
