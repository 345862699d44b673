import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { spawnProgram } from '@millrace/core';

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Sends SIGINT, once, as soon as this has been printed on stderr. */
  readonly interruptAfter?: string;
}

const main = fileURLToPath(new URL('../main.ts', import.meta.url));

/** A home of its own for the program, with a profile for `url`; `run` runs main.ts there as a child process. */
export async function makeHome(url: string, profile: object = { apikey: 'AK', secretkey: 'SK' }) {
  const path = await mkdtemp(join(tmpdir(), 'millrace-home-'));
  const config = join(path, 'config.json');
  await writeFile(config, JSON.stringify({ current: 'local', profiles: { local: { url, ...profile } } }));
  const environment = { HOME: path, MILLRACE_CONFIG: config, MILLRACE_STATE_DIR: join(path, 'state') };
  return {
    path,
    config,
    environment,
    run: (argv: readonly string[], options: RunOptions = {}) =>
      runProgramTo(process.execPath, [main, ...argv], {
        ...options,
        environment: { ...environment, ...options.environment },
      }),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** Runs a program to its end, whatever its exit status. Bounded: a test must not wait for ever. */
export async function runProgramTo(
  file: string,
  argv: readonly string[],
  options: RunOptions,
): Promise<Outcome> {
  const child = spawnProgram(file, argv, {
    stdio: ['pipe', 'pipe', 'pipe'],
    signal: AbortSignal.timeout(60_000),
    env: { ...options.environment },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const ended = Promise.withResolvers<number | null>();
  child.once('error', ended.reject);
  child.once('close', (code) => ended.resolve(code));
  const watch = async () => {
    let seen = '';
    let interrupted = false;
    for await (const chunk of child.stderr?.setEncoding('utf8') ?? []) {
      seen += chunk;
      if (interrupted || !options.interruptAfter || !seen.includes(options.interruptAfter)) continue;
      interrupted = child.kill('SIGINT');
    }
    return seen;
  };
  child.stdin?.once('error', () => {});
  child.stdin?.end(options.input ?? '');
  const [stdout, stderr, code] = await Promise.all([
    child.stdout ? text(child.stdout) : '',
    watch(),
    ended.promise,
  ]);
  return { code, stdout, stderr };
}
