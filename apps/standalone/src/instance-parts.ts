import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { isJsonObject } from '@millrace/api-client';
import { MillraceError, runProgram } from '@millrace/core';
import { logTail, openLog, startChild } from './child-process.ts';
import { compileCacheEnvironment, partFlags } from './compile-cache.ts';
import type { PostgresCluster } from './postgres-cluster.ts';
import type { CommandLine } from './programs.ts';
import type { SupervisedPart } from './supervise.ts';

export interface PartsOptions {
  /** Of the project. */
  readonly root: string;
  readonly dataDirectory: string;
  readonly poolPath: string;
  readonly databaseUrl: string;
  readonly apiPort: number;
  readonly agentPort: number;
  readonly agentHost: string;
  /** Passed on to the parts: home directory and log level of whoever starts Millrace. */
  readonly environment: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

const toolTimeoutMs = 60_000;

/** The database: as postgres wants it, it stops on SIGINT without waiting for its clients. */
export function postgresPart(dataDirectory: string, cluster: PostgresCluster): SupervisedPart {
  return part('PostgreSQL', join(dataDirectory, 'logs/postgres.log'), async () => ({
    command: cluster.command,
    environment: {},
  }));
}

export function serverPart(options: PartsOptions): SupervisedPart {
  return part('the server', join(options.dataDirectory, 'logs/server.log'), async () => ({
    command: program(options.root, 'apps/server/src/main.ts'),
    environment: { ...serverEnvironment(options), MILLRACE_EXIT_WITH_STDIN: '1' },
  }));
}

/** The host agent of this machine. Until it has joined, each of its starts gets a new join token: one works only once. */
export function agentPart(options: PartsOptions): SupervisedPart {
  const stateDirectory = join(options.dataDirectory, 'agent');
  return part('the agent', join(options.dataDirectory, 'logs/agent.log'), async () => {
    const joined = await isThere(join(stateDirectory, 'identity.json'));
    return {
      command: program(options.root, 'apps/agent/src/main.ts'),
      environment: {
        ...options.environment,
        ...compileCacheEnvironment(options.dataDirectory),
        MILLRACE_AGENT_DIR: stateDirectory,
        MILLRACE_SERVER_URL: ownServerUrl(options),
        MILLRACE_POOL_PATH: options.poolPath,
        // used once somebody adds an image store there: addImageStore provider=Local url=file://…
        MILLRACE_STORE_PATHS: join(options.dataDirectory, 'image-store'),
        MILLRACE_IMAGE_LISTEN: imageListen(options),
        MILLRACE_EXIT_WITH_STDIN: '1',
        ...(joined ? {} : { MILLRACE_JOIN_TOKEN: (await joinTokens(options, 1))[0]! }),
      },
    };
  });
}

/** Images are served where agents are taken, ten ports on: to hosts of other machines only when these can join. */
function imageListen({ agentHost, agentPort }: PartsOptions): string {
  return `${agentHost.includes(':') ? `[${agentHost}]` : agentHost}:${agentPort > 65_525 ? agentPort - 10 : agentPort + 10}`;
}

/** How the agent of this machine reaches the server: the wildcard address is none to go to. */
export function ownServerUrl({ agentHost, agentPort }: PartsOptions): string {
  const host = agentHost === '0.0.0.0' ? '127.0.0.1' : agentHost === '::' ? '::1' : agentHost;
  return `https://${host.includes(':') ? `[${host}]` : host}:${agentPort}`;
}

/** Gives what an operator would type to the server's bootstrap program, which makes what is not there yet. */
export async function bootstrap(options: PartsOptions, input: object): Promise<void> {
  const { file, argv } = program(options.root, 'apps/server/src/bootstrap/main.ts');
  await runProgram(file, argv, {
    signal: AbortSignal.any([options.signal, AbortSignal.timeout(toolTimeoutMs)]),
    cwd: '/',
    env: serverEnvironment(options),
    input: `${JSON.stringify(input)}\n`,
  });
}

/** Lets so many new hosts join, each once. */
export async function joinTokens(options: PartsOptions, count: number): Promise<readonly string[]> {
  const { file, argv } = program(options.root, 'apps/server/src/agents/join-token-main.ts');
  const { stdout } = await runProgram(file, [...argv, '--count', String(count)], {
    signal: AbortSignal.any([options.signal, AbortSignal.timeout(toolTimeoutMs)]),
    cwd: '/',
    env: serverEnvironment(options),
  });
  const answer: unknown = JSON.parse(stdout);
  const tokens = isJsonObject(answer) ? answer['tokens'] : undefined;
  if (Array.isArray(tokens) && tokens.length === count && tokens.every((token) => typeof token === 'string'))
    return tokens;
  throw new MillraceError('JOIN_TOKEN_MISSING', 'the server gave no join token');
}

function serverEnvironment(options: PartsOptions): Record<string, string> {
  return {
    ...options.environment,
    ...compileCacheEnvironment(options.dataDirectory),
    MILLRACE_DATA_DIR: options.dataDirectory,
    DATABASE_URL: options.databaseUrl,
    MILLRACE_API_HOST: '127.0.0.1',
    MILLRACE_API_PORT: String(options.apiPort),
    MILLRACE_WEB_DIR: join(options.root, 'apps/web/dist'),
    MILLRACE_AGENT_HOST: options.agentHost,
    MILLRACE_AGENT_PORT: String(options.agentPort),
  };
}

/** What a part is started with. */
export interface PartLaunch {
  readonly command: CommandLine;
  readonly environment: Readonly<Record<string, string>>;
}

export function part(name: string, logPath: string, prepare: () => Promise<PartLaunch>): SupervisedPart {
  return {
    name,
    logPath,
    logTail: () => logTail(logPath),
    async start() {
      const { command, environment } = await prepare();
      // the child has its own copy of the descriptor
      await using log = await openLog(logPath);
      return startChild(command, { environment, log, cwd: '/' });
    },
  };
}

export function program(root: string, path: string): CommandLine {
  return { file: process.execPath, argv: [...partFlags, join(root, path)] };
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
