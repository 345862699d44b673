import { chmod, mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type ApiClient, type JsonObject, makeApiClient, objectsOf, textMember } from '@millrace/api-client';
import { MillraceError, sleep } from '@millrace/core';
import { logTail } from './child-process.ts';
import { profileFile } from './cli-profile.ts';
import { fillCompileCache } from './compile-cache.ts';
import { type Credentials, loadCredentials, writePrivateFile } from './credentials.ts';
import type { DataDirectory } from './data-directory.ts';
import type { GuestNetwork } from './guest-network.ts';
import { ensureKvmAccess, ensureNameResolves } from './host-readiness.ts';
import { loadInstanceFile, storeInstanceFile } from './instance-file.ts';
import { agentPart, bootstrap, type PartsOptions, postgresPart, serverPart } from './instance-parts.ts';
import { ensureLibvirt } from './libvirt.ts';
import { bindMount, runtimePaths } from './mounts.ts';
import type { StartOptions } from './options.ts';
import { requireFreePort } from './ports.ts';
import { prepareCluster } from './postgres-cluster.ts';
import { formatDuration, type Progress } from './progress.ts';
import { type SupervisedPart, type Supervisor, supervise } from './supervise.ts';
import { corePackages, demoPackages, ensurePackages } from './system-packages.ts';
import { buildWebConsole } from './web-console.ts';

export interface LaunchOptions {
  readonly options: StartOptions;
  readonly root: string;
  readonly data: DataDirectory;
  readonly progress: Progress;
  /** For the parts and for apt: home, log level, proxies. */
  readonly environment: Readonly<Record<string, string>>;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** What runs, in the order in which it was started. */
export interface RunningPart {
  readonly part: SupervisedPart;
  readonly supervisor: Supervisor;
  readonly stopSignal: NodeJS.Signals;
}

export interface Launched {
  readonly api: ApiClient;
  readonly apiUrl: string;
  readonly credentials: Credentials;
}

const readyTimeoutMs = 120_000;

/**
 * Brings an instance up, step by step, to the host being Up. Every step finds what an earlier start has done, so that
 * a start that was cut short is completed by the next.
 * @param running filled as parts are started, for whoever has to stop them, also when a later step fails
 */
export async function launch(options: LaunchOptions, running: RunningPart[]): Promise<Launched> {
  const { data, progress, signal, root } = options;
  await prepareMachine(options);
  const paths = runtimePaths(data.instanceId);
  await progress.step('Directories', async () => {
    for (const [name, target] of [
      ['postgres', paths.postgres],
      ['pool', paths.pool],
    ] as const) {
      const source = join(data.path, name);
      await mkdir(source, { recursive: true });
      // QEMU runs as another user: it opens its disks by name, but cannot list whose there are
      if (name === 'pool') await chmod(source, 0o711);
      await bindMount(source, target, signal);
    }
    await requireFreePort(options.options.apiPort, '--port', signal);
    await requireFreePort(options.options.agentPort, '--agent-port', signal);
    return { value: undefined, detail: data.path };
  });

  const start = async (part: SupervisedPart, stopSignal: NodeJS.Signals) => {
    const supervisor = await supervise(part, { line: progress.line, now: options.now });
    running.push({ part, supervisor, stopSignal });
  };

  await progress.step('Web console', async () => {
    const built = await buildWebConsole({ root, signal });
    return { value: undefined, detail: built ? 'built' : 'built before' };
  });
  const compiled = fillCompileCache({ root, dataDirectory: data.path, signal });
  // a failure is told when it is waited for; until then it must not count as unhandled
  compiled.catch(() => {});
  const databaseUrl = await progress.step('PostgreSQL', async () => {
    const cluster = await prepareCluster({ directory: paths.postgres, signal });
    await start(postgresPart(data.path, cluster), 'SIGINT');
    await unlessFailed(cluster.ready(signal), running);
    return {
      value: cluster.url,
      detail: `version ${cluster.version}, ${cluster.created ? 'new' : 'existing'} private cluster, unix socket only`,
    };
  });

  const parts: PartsOptions = {
    root,
    dataDirectory: data.path,
    poolPath: paths.pool,
    databaseUrl,
    apiPort: options.options.apiPort,
    agentPort: options.options.agentPort,
    agentHost: options.options.agentHost,
    environment: options.environment,
    signal,
  };
  const credentials = await loadCredentials(data.path);
  await bootstrapOnce(options, parts, credentials);

  const apiUrl = `http://127.0.0.1:${options.options.apiPort}/client/api`;
  const api = makeApiClient({ url: apiUrl, apiKey: credentials.apiKey, secretKey: credentials.secretKey });
  await progress.step('Management server', async () => {
    await compiled;
    await start(serverPart(parts), 'SIGTERM');
    await unlessFailed(
      until(options, 'The server', () => listHosts(api, signal)),
      running,
    );
    return { value: undefined, detail: apiUrl };
  });
  await progress.step('Host agent', async () => {
    // times are told in whole seconds
    const begun = Math.floor(Date.now() / 1000) * 1000;
    await start(agentPart(parts), 'SIGTERM');
    const name = await unlessFailed(
      until(options, 'The host', async () => {
        const up = (await listHosts(api, signal)).find((host) => isUpSince(host, begun));
        return up === undefined ? undefined : (textMember(up, 'name') ?? '?');
      }),
      running,
    );
    return { value: undefined, detail: `host ${name} is Up` };
  });
  await mkdir(join(data.path, 'cli'), { recursive: true, mode: 0o700 });
  await writePrivateFile(
    join(data.path, 'cli/config.json'),
    profileFile({ url: apiUrl, apikey: credentials.apiKey, secretkey: credentials.secretKey }),
  );
  return { api, apiUrl, credentials };
}

/** Packages, libvirt, and what makes libvirt slow. */
async function prepareMachine({ options, progress, environment, signal }: LaunchOptions): Promise<void> {
  await progress.step('System packages', async (note) => {
    const wanted = { ...corePackages, ...(options.demo ? demoPackages : {}) };
    const installed = await ensurePackages({ wanted, install: options.install, environment, note, signal });
    const detail =
      installed.length === 0 ? `all ${Object.keys(wanted).length} there` : `installed ${installed.join(' ')}`;
    return { value: undefined, detail };
  });
  await progress.step('libvirt', async () => {
    for (const change of [await ensureNameResolves(hostname(), signal), await ensureKvmAccess()]) {
      if (change !== undefined) progress.line(`! ${change}`);
    }
    return { value: undefined, detail: await ensureLibvirt(signal) };
  });
}

async function bootstrapOnce(
  { data, progress, signal }: LaunchOptions,
  parts: PartsOptions,
  credentials: Credentials,
): Promise<void> {
  const instance = await loadInstanceFile(data.path, data.instanceId, signal);
  if (instance.bootstrapped) return;
  await progress.step('First start: zone, pod, cluster, pool, offerings, network, admin', async () => {
    await bootstrap(parts, bootstrapInput(data.instanceId, instance.network, credentials));
    await storeInstanceFile(data.path, { ...instance, bootstrapped: true });
    return { value: undefined, detail: `guests get addresses of ${instance.network.cidr}` };
  });
}

/** What an operator would decide about a new zone. */
function bootstrapInput(instanceId: string, network: GuestNetwork, credentials: Credentials): object {
  return {
    instanceName: instanceId,
    network,
    admin: {
      password: credentials.password,
      apiKey: credentials.apiKey,
      secretKey: credentials.secretKey,
    },
  };
}

async function listHosts(api: ApiClient, signal: AbortSignal) {
  return objectsOf((await api.call('listHosts', { type: 'Routing' }, { signal }))['host']);
}

/** Up, and heard of since then: a host that was Up when the server stopped is listed so until it is missed. */
function isUpSince(host: JsonObject, time: number): boolean {
  const heard = Date.parse(textMember(host, 'lastpinged')?.replace(/\+0000$/, 'Z') ?? '');
  return textMember(host, 'state') === 'Up' && heard >= time;
}

/** Asks again and again until there is an answer other than `undefined`. */
async function until<T>(
  { now, signal, data }: LaunchOptions,
  what: string,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const begun = now();
  let trouble: unknown;
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined) return found;
    } catch (error) {
      signal.throwIfAborted();
      trouble = error;
    }
    if (now() - begun > readyTimeoutMs) {
      const logs = ['server', 'agent'].map((name) => join(data.path, `logs/${name}.log`));
      const tails = await Promise.all(
        logs.map(async (path) => `The end of ${path}:\n${await logTail(path).catch(() => '  (none)')}`),
      );
      throw new MillraceError(
        'NOT_READY',
        `${what} was not ready within ${formatDuration(readyTimeoutMs)}.\n${tails.join('\n')}`,
        { cause: trouble },
      );
    }
    await sleep(100, signal);
  }
}

/** Waits for something that never comes when a part it needs has been given up. */
async function unlessFailed<T>(work: Promise<T>, running: readonly RunningPart[]): Promise<T> {
  return Promise.race([work, ...running.map(({ supervisor }) => supervisor.failed)]);
}

/** Stops what runs, last started first, with a line each. VMs are not touched. */
export async function stopAll(running: readonly RunningPart[], progress: Progress): Promise<void> {
  for (const { part, supervisor, stopSignal } of [...running].reverse()) {
    await progress.step(`Stopped ${part.name}`, async () => {
      await supervisor.stop({ signalName: stopSignal, timeoutMs: 30_000 });
      return { value: undefined };
    });
  }
}
