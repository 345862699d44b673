import type { ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { spawnProgram } from '@millrace/core';
import { labAddress } from '../lab/lab-host.ts';
import type { Instance } from './instance.ts';

const main = fileURLToPath(new URL('../../apps/server/src/main.ts', import.meta.url));
const { signal } = new AbortController();

/** Where the second server's API is, and where its agents come to. */
export const secondServer = {
  api: 'http://127.0.0.1:8081/client/api',
  agents: `https://${labAddress}:8251`,
  agentPort: 8251,
} as const;

export interface DatabaseOfFirst {
  readonly url: string;
  readonly keyFile: string;
}

/** Where the first server's database is, and the key of its secrets: only its own environment tells. */
export async function databaseOfFirst(instance: Instance): Promise<DatabaseOfFirst> {
  const environment = await readFile(`/proc/${await instance.pidOf('server')}/environ`, 'utf8');
  return {
    url: /DATABASE_URL=([^\0]+)/.exec(environment)![1]!,
    keyFile: join(/MILLRACE_DATA_DIR=([^\0]+)/.exec(environment)![1]!, 'secret.key'),
  };
}

/** Starts another management server of the same database. Resolves when it is ready. */
export async function startSecondServer(
  { url, keyFile }: DatabaseOfFirst,
  dataDir: string,
): Promise<ChildProcess> {
  const child = spawnProgram(process.execPath, [main], {
    signal,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      MILLRACE_DATA_DIR: dataDir,
      DATABASE_URL: url,
      MILLRACE_SECRET_KEY_FILE: keyFile,
      MILLRACE_API_PORT: '8081',
      MILLRACE_AGENT_HOST: '0.0.0.0',
      MILLRACE_AGENT_PORT: String(secondServer.agentPort),
    },
  });
  const ready = Promise.withResolvers<void>();
  child.once('exit', (code) => ready.reject(new Error(`the second server ended with ${code}`)));
  void (async () => {
    for await (const line of createInterface({ input: child.stdout! }))
      if (line.includes('"ready":true')) ready.resolve();
  })();
  await ready.promise;
  return child;
}
