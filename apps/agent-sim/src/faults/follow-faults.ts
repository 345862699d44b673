import { readFile, stat } from 'node:fs/promises';
import { describeError, hasErrorCode, type Logger, sleep } from '@millrace/core';
import { z } from 'zod';
import { type Faults, faultsFile } from './host-faults.ts';

const lookEveryMs = 250;

/**
 * Reads the file of faults now and after each change, until the signal aborts. Without the file nothing is wrong; one
 * that cannot be read is told, and what held before holds on.
 */
export async function followFaults(options: {
  readonly path: string;
  readonly onChange: (faults: Faults) => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { path, onChange, log, signal } = options;
  let seen = '';
  while (!signal.aborted) {
    const stamp = await stampOf(path);
    if (stamp !== seen) {
      seen = stamp;
      try {
        onChange(stamp === 'none' ? {} : parseFaults(await readFile(path, 'utf8')));
        log.info({ path }, 'faults changed');
      } catch (error) {
        log.warn({ path, reason: describeError(error) }, 'the file of faults cannot be used');
      }
    }
    await sleep(lookEveryMs, signal).catch(() => {});
  }
}

/** @throws Error that names what is wrong */
export function parseFaults(text: string): Faults {
  const parsed = faultsFile.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new Error(z.prettifyError(parsed.error));
}

async function stampOf(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${mtimeMs} ${size} ${ino}`;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return 'none';
    throw error;
  }
}
