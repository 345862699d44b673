import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { type Digest, formatChecksum, spawnProgram } from '@millrace/core';

export interface KilledFetch {
  readonly url: string;
  readonly directory: string;
  readonly digest?: Digest | undefined;
}

const script = fileURLToPath(new URL('fetch-child.ts', import.meta.url));

function startChild({ url, directory, digest }: KilledFetch, more: readonly string[] = []) {
  const checksum = digest ? ['--checksum', formatChecksum(digest)] : [];
  const child = spawnProgram(
    process.execPath,
    [script, '--url', url, '--directory', directory, ...checksum, ...more],
    { signal: AbortSignal.timeout(60_000), stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = once(child, 'exit');
  return { child, ended };
}

/** Fetches in a process of its own, and kills it before a step of the commit. @returns whether it got there */
export async function killedAtStep(fetch: KilledFetch, step: string): Promise<boolean> {
  const { child, ended } = startChild(fetch, ['--stop-at', step]);
  let there = false;
  for await (const line of createInterface({ input: child.stdout! })) {
    there = line === `at ${step}`;
    child.kill('SIGKILL');
  }
  await ended;
  return there;
}

/** The same, as soon as the condition holds. @returns whether it was killed before it had ended by itself */
export async function killedWhen(fetch: KilledFetch, condition: () => boolean): Promise<boolean> {
  const { child, ended } = startChild(fetch);
  const watch = setInterval(() => {
    if (condition()) child.kill('SIGKILL');
  }, 2);
  try {
    const [, signal] = await ended;
    return signal === 'SIGKILL';
  } finally {
    clearInterval(watch);
  }
}
