import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ApiClient, makeApiClient } from '@millrace/api-client';
import { sleep } from '@millrace/core';
import { profileFile } from '../cli-profile.ts';
import { compileCacheEnvironment } from '../compile-cache.ts';
import { type Credentials, loadCredentials, writePrivateFile } from '../credentials.ts';
import {
  bootstrap,
  joinTokens,
  ownServerUrl,
  type PartsOptions,
  part,
  postgresPart,
  program,
  serverPart,
} from '../instance-parts.ts';
import type { RunningPart } from '../launch.ts';
import { requireFreePort } from '../ports.ts';
import { prepareCluster } from '../postgres-cluster.ts';
import type { Progress } from '../progress.ts';
import { type SupervisedPart, supervise } from '../supervise.ts';
import { buildWebConsole } from '../web-console.ts';
import type { DevOptions } from './options.ts';

export interface DevLaunchOptions {
  readonly options: DevOptions;
  readonly root: string;
  /** Empty; PostgreSQL's user can pass through it. */
  readonly directory: string;
  readonly progress: Progress;
  readonly environment: Readonly<Record<string, string>>;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

export interface DevCloud {
  readonly apiUrl: string;
  readonly credentials: Credentials;
  /** For MILLRACE_CONFIG. */
  readonly profile: string;
  readonly faults: string;
}

/** Guests are many and run nowhere: they get addresses of a /16. */
const network = {
  libvirtName: 'millrace-sim',
  bridge: 'mlrsim',
  cidr: '10.64.0.0/16',
  gateway: '10.64.0.1',
  netmask: '255.255.0.0',
  startIp: '10.64.0.10',
  endIp: '10.64.255.250',
};

/**
 * Starts a private PostgreSQL, the management server and the program of simulated hosts, and waits until all of them are Up.
 * @param running filled as parts are started, for whoever has to stop them
 */
export async function launchDev(options: DevLaunchOptions, running: RunningPart[]): Promise<DevCloud> {
  const { directory, progress, signal, root } = options;
  const { apiPort, agentPort, hosts } = options.options;
  await requireFreePort(apiPort, '--port', signal);
  await requireFreePort(agentPort, '--agent-port', signal);
  const dataDirectory = join(directory, 'data');
  await mkdir(dataDirectory, { mode: 0o700 });
  // what Node has compiled may outlive everything else: the next start is much faster
  const compiled = join(root, 'node_modules/.cache/millrace/compiled');
  await mkdir(compiled, { recursive: true });
  await symlink(compiled, compileCacheEnvironment(dataDirectory)['NODE_COMPILE_CACHE']!);
  const start = async (started: SupervisedPart, stopSignal: NodeJS.Signals) => {
    const supervisor = await supervise(started, { line: progress.line, now: options.now });
    running.push({ part: started, supervisor, stopSignal });
  };

  await progress.step('Web console', async () => {
    const built = await buildWebConsole({ root, signal });
    return { value: undefined, detail: built ? 'built' : 'built before' };
  });
  const databaseUrl = await progress.step('PostgreSQL', async () => {
    const cluster = await prepareCluster({ directory: join(directory, 'postgres'), volatile: true, signal });
    await start(postgresPart(dataDirectory, cluster), 'SIGINT');
    await unlessFailed(cluster.ready(signal), running);
    return { value: cluster.url, detail: `version ${cluster.version}, new` };
  });
  const parts: PartsOptions = {
    root,
    dataDirectory,
    poolPath: '/',
    databaseUrl,
    apiPort,
    agentPort,
    agentHost: '127.0.0.1',
    environment: options.environment,
    signal,
  };
  const credentials = await loadCredentials(dataDirectory);
  const { apiKey, secretKey } = credentials;
  const apiUrl = `http://127.0.0.1:${apiPort}/client/api`;
  const api = makeApiClient({ url: apiUrl, apiKey, secretKey });
  await progress.step('Management server', async () => {
    await bootstrap(parts, { instanceName: 'sim', network, admin: credentials });
    await start(serverPart(parts), 'SIGTERM');
    await unlessFailed(
      until(signal, async () => (await countUp(api, signal)) !== undefined),
      running,
    );
    return { value: undefined, detail: apiUrl };
  });
  const faults = options.options.faults ?? join(directory, 'faults.json');
  if (options.options.faults === undefined) await writeFile(faults, '{}\n');
  await progress.step('Simulated hosts', async () => {
    await start(await hostsPart(parts, options.options, faults), 'SIGTERM');
    const allUp = until(signal, async () => {
      const up = (await countUp(api, signal)) ?? 0;
      progress.live(`· Simulated hosts: ${up} of ${hosts} are Up`);
      return up >= hosts;
    });
    await unlessFailed(allUp, running);
    return { value: undefined, detail: `${hosts} are Up` };
  });
  const profile = join(dataDirectory, 'config.json');
  await writePrivateFile(profile, profileFile({ url: apiUrl, apikey: apiKey, secretkey: secretKey }));
  return { apiUrl, credentials, profile, faults };
}

/** One process for all hosts. What they hold is in its memory, so it is not started a second time. */
async function hostsPart(
  parts: PartsOptions,
  { hosts, speed }: DevOptions,
  faults: string,
): Promise<SupervisedPart> {
  const tokens = await joinTokens(parts, hosts);
  const list = join(parts.dataDirectory, 'hosts.json');
  const named = tokens.map((token, index) => ({ name: `sim-${index + 1}`, token }));
  await writePrivateFile(list, JSON.stringify(named));
  return part('the simulated hosts', join(parts.dataDirectory, 'logs/hosts.log'), async () => ({
    command: program(parts.root, 'apps/agent-sim/src/main.ts'),
    environment: {
      ...parts.environment,
      ...compileCacheEnvironment(parts.dataDirectory),
      MILLRACE_SERVER_URL: ownServerUrl(parts),
      MILLRACE_SIM_HOSTS: list,
      MILLRACE_SIM_SPEED: String(speed),
      MILLRACE_SIM_FAULTS: faults,
      MILLRACE_EXIT_WITH_STDIN: '1',
    },
  }));
}

/** How many hosts are Up; `undefined` while the server does not answer. */
async function countUp(api: ApiClient, signal: AbortSignal): Promise<number | undefined> {
  try {
    const answer = await api.call(
      'listHosts',
      { type: 'Routing', state: 'Up', page: '1', pagesize: '1' },
      { signal },
    );
    return Number(answer['count'] ?? 0);
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

async function until(signal: AbortSignal, look: () => Promise<boolean>): Promise<void> {
  while (!(await look())) await sleep(100, signal);
}

/** Waits for something that never comes when a part it needs has been given up. */
async function unlessFailed<T>(work: Promise<T>, running: readonly RunningPart[]): Promise<T> {
  return Promise.race([work, ...running.map(({ supervisor }) => supervisor.failed)]);
}
