import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram, sleep } from '@millrace/core';
import { fail } from '../failure.ts';
import { uptimeSeconds } from './uptime.ts';

const script = fileURLToPath(new URL('guard.sh', import.meta.url));
/** It says once a second that it lives. */
const freshSeconds = 5;
const startWithinMs = 5000;

export interface GuardPlaces {
  /** Of the holds, on a file system that a restart of the machine empties. */
  readonly directory: string;
  /** Where libvirt keeps the process numbers of its guests. */
  readonly pids: string;
}

/**
 * Makes sure that the guard runs. It is no child of the agent: under systemd it is a unit of its own, for what belongs to
 * the agent's unit ends with it.
 * @throws AgentFailure `GUARD_FAILED`
 */
export async function ensureGuard(places: GuardPlaces, signal: AbortSignal): Promise<void> {
  if (await isAlive(places)) return;
  const guard = ['sh', script, places.directory, places.pids];
  try {
    if (await hasSystemd())
      await runProgram('systemd-run', ['--quiet', '--collect', '--unit=millrace-guard', ...guard], {
        signal,
      });
    else await runProgram('setsid', ['--fork', ...guard], { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (!(await isAlive(places)))
      fail('GUARD_FAILED', `the guard of this host did not start: ${error}`, error);
  }
  for (let waited = 0; waited < startWithinMs; waited += 50) {
    if (await isAlive(places)) return;
    await sleep(50, signal);
  }
  fail('GUARD_FAILED', `the guard of this host did not start within ${startWithinMs / 1000} s`);
}

export async function isAlive({ directory }: GuardPlaces): Promise<boolean> {
  const said = await readFile(join(directory, 'guard.alive'), 'utf8').catch(() => '');
  const second = Number.parseInt(said, 10);
  return Number.isFinite(second) && uptimeSeconds() - second < freshSeconds;
}

async function hasSystemd(): Promise<boolean> {
  return access('/run/systemd/system').then(
    () => true,
    () => false,
  );
}
