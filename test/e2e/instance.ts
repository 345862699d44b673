import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { makeApiClient } from '@millrace/api-client';
import { runProgram, sleep, spawnProgram } from '@millrace/core';

/** A whole Millrace (launcher, PostgreSQL, server, agent) of its own, started the way `npm start` starts it. */
export interface Instance {
  readonly dataDir: string;
  readonly api: Api;
  /** Directory of the local pool. */
  readonly pool: string;
  /** Everything the launcher printed so far. */
  output(): string;
  pidOf(part: 'server' | 'agent' | 'postgres'): Promise<number>;
  /** The same API at another server of this instance's database. */
  apiAt(url: string): Promise<Api>;
  /** SIGTERM to the launcher; resolves when it has ended. */
  stop(): Promise<number>;
  /** SIGKILL to the launcher. */
  kill(): Promise<void>;
}

export interface Api {
  /** Calls a command; for an asynchronous one the answer holds `jobid`. */
  call(command: string, params?: Record<string, string>): Promise<Record<string, unknown>>;
  /** Calls an asynchronous command and polls until the job ends, whatever happens to the server meanwhile. */
  run(command: string, params: Record<string, string>, timeoutMs?: number): Promise<JobAnswer>;
  job(jobId: string, timeoutMs?: number): Promise<JobAnswer>;
  list(command: string, params?: Record<string, string>): Promise<Record<string, unknown>[]>;
}

/** The answer of queryAsyncJobResult, as far as the tests look at it. */
export interface JobAnswer {
  readonly jobid: string;
  readonly jobstatus: number;
  readonly jobresultcode?: number;
  readonly jobresult?: Record<string, unknown> & { readonly errortext?: string };
  readonly jobprogress?: { readonly phase: string; readonly percent: number; readonly bytes?: number };
  readonly jobattempts?: readonly JobAttempt[];
}

export interface JobAttempt {
  readonly host: string;
  readonly state: string;
  readonly reason?: string;
  readonly next?: string;
  readonly sources: readonly {
    readonly url: string;
    readonly checksumattempt: number;
    readonly state: string;
    readonly bytes: number;
    readonly reason?: string;
    readonly next?: string;
  }[];
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const readyTimeoutMs = 180_000;

export async function makeDataDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'millrace-e2e-'));
}

/** Starts an instance and waits until its host is Up. `options` are the launcher's. */
export async function startInstance(
  dataDir: string,
  options: readonly string[] = ['--no-demo'],
): Promise<Instance> {
  const controller = new AbortController();
  const child = spawnProgram(
    process.execPath,
    [join(root, 'apps/standalone/src/main.ts'), '--data-dir', dataDir, ...options],
    {
      signal: controller.signal,
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: root,
      env: { HOME: dataDir },
    },
  );
  let text = '';
  const collect = async (stream: Readable | null) => {
    if (stream) for await (const chunk of stream) text += String(chunk);
  };
  void Promise.all([collect(child.stdout), collect(child.stderr)]).catch(() => {});
  let exitCode: number | undefined;
  const exited = new Promise<number>((resolve) => {
    child.once('error', () => resolve(1));
    child.once('close', (code) => {
      exitCode = code ?? 1;
      resolve(exitCode);
    });
  });

  const deadline = Date.now() + readyTimeoutMs;
  let api: Api | undefined;
  while (api === undefined) {
    if (exitCode !== undefined) throw new Error(`the launcher ended with ${exitCode}:\n${text}`);
    if (Date.now() > deadline) throw new Error(`not ready after ${readyTimeoutMs} ms:\n${text}`);
    await sleep(100, controller.signal);
    // a host that was Up when the server stopped is listed so at first: the launcher knows better
    if (/Millrace is ready/.test(text)) api = await connectWhenUp(dataDir, controller.signal);
  }
  const id = (await readFile(join(dataDir, 'instance-id'), 'utf8')).trim();
  return {
    dataDir,
    api,
    pool: `/run/millrace/${id}/pool`,
    output: () => text,
    pidOf: (part) => pidOf(child.pid!, part),
    apiAt: async (url) => makeApi({ ...(await profileOf(dataDir)), url }, controller.signal),
    stop: async () => {
      child.kill('SIGTERM');
      return exited;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Removes what an instance left behind, as `npm run reset -- --yes` does. */
export async function resetInstance(dataDir: string): Promise<void> {
  await runProgram(
    process.execPath,
    [join(root, 'apps/standalone/src/reset-main.ts'), '--yes', '--data-dir', dataDir],
    {
      signal: AbortSignal.timeout(60_000),
      env: { HOME: dataDir },
    },
  );
}

async function connectWhenUp(dataDir: string, signal: AbortSignal): Promise<Api | undefined> {
  try {
    const api = makeApi(await profileOf(dataDir), signal);
    const hosts = await api.list('listHosts', { type: 'Routing' });
    return hosts.some((host) => host['state'] === 'Up') ? api : undefined;
  } catch {
    return undefined;
  }
}

export interface Profile {
  readonly url: string;
  readonly apikey: string;
  readonly secretkey: string;
}

async function profileOf(dataDir: string): Promise<Profile> {
  const config = JSON.parse(await readFile(join(dataDir, 'cli/config.json'), 'utf8')) as {
    current: string;
    profiles: Record<string, Profile>;
  };
  return config.profiles[config.current]!;
}

export function makeApi(profile: Profile, signal: AbortSignal): Api {
  const client = makeApiClient({ url: profile.url, apiKey: profile.apikey, secretKey: profile.secretkey });
  const call = async (command: string, params: Record<string, string> = {}) =>
    (await client.call(command, params, { signal })) as Record<string, unknown>;
  const job = async (jobId: string, timeoutMs = 120_000): Promise<JobAnswer> => {
    const deadline = Date.now() + timeoutMs;
    let last: unknown;
    while (Date.now() < deadline) {
      try {
        const answer = (await call('queryAsyncJobResult', { jobid: jobId })) as unknown as JobAnswer;
        if (answer.jobstatus !== 0) return answer;
        last = answer;
      } catch (error) {
        // a server that was just killed: the job goes on, and so do we
        last = error;
      }
      await sleep(150, signal);
    }
    throw new Error(`job ${jobId} did not end within ${timeoutMs} ms; last seen: ${JSON.stringify(last)}`);
  };
  return {
    call,
    job,
    run: async (command, params, timeoutMs) => job(String((await call(command, params))['jobid']), timeoutMs),
    list: async (command, params = {}) => {
      const answer = await call(command, params);
      const rows = Object.values(answer).find(Array.isArray);
      return (rows ?? []) as Record<string, unknown>[];
    },
  };
}

const commandLines = {
  server: /apps\/server\/src\/main\.ts/,
  agent: /apps\/agent\/src\/main\.ts/,
  // the postmaster: its children have titles like "postgres: checkpointer"
  postgres: /\/bin\/postgres\0/,
} as const;

async function pidOf(launcher: number, part: keyof typeof commandLines): Promise<number> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)) {
    try {
      const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8');
      if (commandLines[part].test(commandLine) && (await descends(pid, launcher))) return pid;
    } catch {
      // it ended while we looked
    }
  }
  throw new Error(`no ${part} process below ${launcher}`);
}

async function descends(pid: number, ancestor: number): Promise<boolean> {
  let current = pid;
  while (current > 1) {
    if (current === ancestor) return true;
    const stat = await readFile(`/proc/${current}/stat`, 'utf8');
    current = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  }
  return false;
}
