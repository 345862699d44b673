import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sleep, spawnProgram } from '@millrace/core';
import type { Faults } from '../../apps/agent-sim/src/faults/host-faults.ts';
import { type Api, makeApi, type Profile } from './instance.ts';

/** The real server with simulated hosts, started as `npm run dev` starts it. */
export interface DevCloud extends AsyncDisposable {
  readonly api: Api;
  readonly origin: string;
  /** Of admin. */
  readonly password: string;
  /** Of its private PostgreSQL, for root. */
  readonly databaseUrl: string;
  /** From a moment later on these, and no others, hold. */
  setFaults(faults: Faults): Promise<void>;
}

const main = fileURLToPath(new URL('../../apps/standalone/src/dev/main.ts', import.meta.url));
const readyWithinMs = 120_000;

export async function startDevCloud(options: {
  readonly hosts: number;
  readonly speed: number;
}): Promise<DevCloud> {
  const { signal } = new AbortController();
  const directory = await mkdtemp(join(tmpdir(), 'millrace-dev-faults-'));
  const faults = join(directory, 'faults.json');
  const { hosts, speed } = options;
  const child = spawnProgram(
    process.execPath,
    [main, '--hosts', String(hosts), '--speed', String(speed), '--faults', faults],
    { signal, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = once(child, 'exit');
  let output = '';
  void (async () => {
    for await (const chunk of child.stdout!) output += String(chunk);
  })().catch(() => {});
  const deadline = Date.now() + readyWithinMs;
  while (!/Ctrl-C ends it/.test(output)) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`npm run dev:\n${output}`);
    await sleep(50, signal);
  }
  const profile = /MILLRACE_CONFIG=(\S+)/.exec(output)![1]!;
  const sockets = join(dirname(profile), '../postgres/socket');
  const config = JSON.parse(await readFile(profile, 'utf8')) as {
    readonly profiles: Record<string, Profile>;
  };
  return {
    api: makeApi(Object.values(config.profiles)[0]!, signal),
    origin: 'http://127.0.0.1:8080',
    databaseUrl: `postgresql://millrace@/millrace?host=${encodeURIComponent(sockets)}`,
    password: /admin +password (\S+)/.exec(output)![1]!,
    setFaults: (value) => writeFile(faults, JSON.stringify(value)),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
