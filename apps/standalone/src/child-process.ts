import { type FileHandle, mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasErrorCode, spawnProgram } from '@millrace/core';
import { type CommandLine, inOwnSession } from './programs.ts';
import type { Child } from './supervise.ts';

/** A log is put aside at a start when it has grown beyond this; one older one is kept. */
const logLimitBytes = 10 * 1024 * 1024;
const tailBytes = 16 * 1024;

/** Opens a log for appending, closed to others. */
export async function openLog(path: string): Promise<FileHandle> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  try {
    if ((await stat(path)).size > logLimitBytes) await rename(path, `${path}.1`);
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT')) throw error;
  }
  return open(path, 'a', 0o600);
}

/** The last lines of a log. */
export async function logTail(path: string, lines = 20): Promise<string> {
  await using file = await open(path, 'r');
  const { size } = await file.stat();
  const length = Math.min(size, tailBytes);
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
  return buffer.toString('utf8').trimEnd().split('\n').slice(-lines).join('\n');
}

export interface StartOptions {
  readonly environment: Readonly<Record<string, string>>;
  readonly log: FileHandle;
  readonly cwd: string;
}

/**
 * Starts a long-running part. It has its own session, writes to its log, and finds the end of its standard input when
 * this process dies, however that happens.
 */
export function startChild(command: CommandLine, options: StartOptions): Child {
  const { file, argv } = inOwnSession(command);
  const child = spawnProgram(file, argv, {
    // the supervisor alone ends it: an abort would kill it without a word
    signal: new AbortController().signal,
    stdio: ['pipe', options.log.fd, options.log.fd],
    env: options.environment,
    cwd: options.cwd,
  });
  child.stdin?.once('error', () => {});
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`it could not be started: ${error.message}`));
    child.once('exit', (code, signalName) => {
      child.stdin?.destroy();
      resolve(signalName === null ? `exit code ${code}` : `signal ${signalName}`);
    });
  });
  return {
    pid: child.pid,
    ended,
    kill: (signalName) => void child.kill(signalName),
    release: () => child.stdin?.end(),
  };
}
