import { describeError, type Logger } from '@millrace/core';
import { openSharedAuthority } from './agents/certificate-authority.ts';
import { startAgents } from './agents/start-agents.ts';
import { keyFileOf, type ServerConfig } from './config.ts';
import { Detached } from './domain/failure-policy.ts';
import { startApi } from './http/server.ts';
import { type Jobs, startJobs } from './jobs/start-jobs.ts';
import { runSteps } from './jobs/steps.ts';
import { serverId } from './server-identity.ts';
import { listenForChanges } from './store/change-notices.ts';
import { withPatience } from './store/connection-loss.ts';
import { prepareDatabase } from './store/prepare-database.ts';
import { startHighAvailability } from './workflows/high-availability.ts';
import { startHousekeeping } from './workflows/housekeeping.ts';
import { jobDefinitions } from './workflows/job-definitions.ts';

export interface Server {
  /** Port of the API. */
  readonly port: number;
  readonly agentPort: number;
  /** Stops in order: no new calls, jobs given back, connections closed. What hosts are doing goes on. */
  close(): Promise<void>;
}

/** Jobs' workers let go at once; this is for the writes under way. */
const jobStopMs = 5000;

/**
 * Wires the server together and starts it. Waits for a database that is not there yet, for as long as `signal` lets it.
 * @throws what keeps it from starting: a port in use, a data directory that cannot be written, a refused login
 */
export async function startServer(options: {
  readonly config: ServerConfig;
  readonly log: Logger;
  readonly signal: AbortSignal;
}): Promise<Server> {
  const { config, log, signal } = options;
  const stopping = new AbortController();
  // what has been started is stopped in reverse, also when a later part does not start
  await using started = new AsyncDisposableStack();
  started.defer(async () => stopping.abort(new Detached('SERVER_STOPPING', 'this server stops')));

  const server = await serverId(config.dataDir);
  const patience = {
    signal,
    onRetry: (error: unknown, delayMs: number) =>
      log.warn({ error: describeError(error), delayMs }, 'the database cannot be reached yet'),
  };
  const { databaseUrl } = config;
  const { database, applied, sealed } = await withPatience(
    () => prepareDatabase({ databaseUrl, keyFile: keyFileOf(config), poolSize: 16 }),
    patience,
  );
  started.defer(() => database.destroy());
  if (applied.length > 0) log.info({ applied }, 'the database schema was brought up to date');
  if (sealed > 0) log.info({ sealed }, 'secrets in the database were sealed');

  const authority = await withPatience(() => openSharedAuthority(database, config.dataDir), patience);
  const agents = await startAgents({
    database,
    authority,
    host: config.agentHost,
    port: config.agentPort,
    log: log.child({ part: 'agents' }),
  });
  started.defer(() => agents.close());

  const jobs: Jobs = await withPatience(
    () =>
      startJobs({
        database,
        databaseUrl,
        definitions: jobDefinitions({ agents: agents.gateway, runSteps, queue: () => jobs }),
        server,
        log: log.child({ part: 'jobs' }),
      }),
    patience,
  );
  started.defer(() => jobs.stop(jobStopMs));
  const endHousekeeping = startHousekeeping({
    database,
    agents: agents.gateway,
    jobs,
    log: log.child({ part: 'housekeeping' }),
    signal: stopping.signal,
  });
  started.defer(async () => endHousekeeping());
  const endHighAvailability = startHighAvailability({
    database,
    jobs,
    log: log.child({ part: 'ha' }),
    signal: stopping.signal,
  });
  started.defer(async () => endHighAvailability());

  const apiLog = log.child({ part: 'api' });
  const changes = listenForChanges({ databaseUrl, log });
  started.defer(() => changes.close());
  const api = await startApi({
    config,
    database,
    agents: agents.gateway,
    consoles: agents.consoles,
    changes,
    jobs,
    log: apiLog,
  });
  started.defer(() => api.close());

  const running = started.move();
  return { port: api.port, agentPort: agents.port, close: () => running.disposeAsync() };
}
