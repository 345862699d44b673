import type { AddressInfo } from 'node:net';
import { ApiError } from '@millrace/api';
import { describeError } from '@millrace/core';
import type { ConsoleStreams } from '../agents/console-streams.ts';
import type { CommandDependencies } from '../commands/command.ts';
import type { ChangeNotices } from '../store/change-notices.ts';
import { deleteOldConsolePermissions } from '../store/console-sessions.ts';
import { authenticate } from './authenticate.ts';
import { makeHttpServer, refusal, requestOf, send, serveCalls } from './calls.ts';
import { serveChanges } from './change-stream.ts';
import { serveConsole } from './console-files.ts';
import { serveConsoles } from './console-socket.ts';
import { makeDispatcher } from './dispatch.ts';
import { startIntegrationPort } from './integration-port.ts';
import { makeMetrics } from './metrics.ts';
import { serveOperators } from './operators.ts';
import { serveReference } from './reference/serve-reference.ts';
import { sweepSessions } from './sessions.ts';

export interface Api {
  readonly port: number;
  /** Where calls need no credentials; undefined when that is off. */
  readonly integrationPort: number | undefined;
  /** Lets running calls end, then closes. */
  close(): Promise<void>;
}

const sweepIntervalMs = 600_000;
const closePatienceMs = 5000;

/** Opens the API on `config.apiHost`:`config.apiPort` (0 means whichever port is free). */
export async function startApi(
  options: CommandDependencies & { readonly consoles: ConsoleStreams; readonly changes: ChangeNotices },
): Promise<Api> {
  const closing = new AbortController();
  const clock = () => new Date();
  const dispatch = makeDispatcher({ ...options, clock });
  const server = await makeHttpServer(options);
  const metrics = makeMetrics(options.database);
  serveOperators(server, { ...options, metrics });
  serveReference(server);
  const sendPage = await serveConsole(server, options.config.webDir);
  server.setNotFoundHandler((request, reply) =>
    sendPage(request, reply)
      ? reply
      : send(reply, refusal(new ApiError('UNSUPPORTED_ACTION_ERROR', 'the API is at /client/api'), 404)),
  );
  serveCalls(server, { paths: ['/client/api', '/client/api/'], dispatch, metrics, closing: closing.signal });
  const endStreams = serveChanges(server, {
    changes: options.changes,
    authenticate: (request) => authenticate(options.database, requestOf(request, closing.signal), new Date()),
  });
  await server.listen({ host: options.config.apiHost, port: options.config.apiPort });
  // such as no file descriptor left for a new connection: it passes, and must not end the process
  server.server.on('error', (error) =>
    options.log.error({ error: describeError(error) }, 'the API’s port met an error'),
  );
  const integration = options.config.integrationPort
    ? await startIntegrationPort({
        ...{ ...options, metrics, clock, closing: closing.signal, listen: options.config.integrationPort },
      }).catch(async (error: unknown) => {
        await server.close();
        throw error;
      })
    : undefined;
  const endConsoles = serveConsoles(server.server, options);
  const sweeper = sweepRegularly(options);
  const { port } = server.server.address() as AddressInfo;
  return {
    port,
    integrationPort: integration?.port,
    async close() {
      clearInterval(sweeper);
      endConsoles();
      endStreams();
      const patience = setTimeout(() => {
        closing.abort(new ApiError('RESOURCE_UNAVAILABLE_ERROR', 'the server stops; try again'));
        server.server.closeAllConnections();
        integration?.abandon();
      }, closePatienceMs);
      try {
        await Promise.all([server.close(), integration?.close()]);
      } finally {
        clearTimeout(patience);
      }
    },
  };
}

function sweepRegularly({ database, log }: CommandDependencies): NodeJS.Timeout {
  const timer = setInterval(() => {
    Promise.all([sweepSessions(database), deleteOldConsolePermissions(database)]).catch((error: unknown) => {
      log.warn({ error: describeError(error) }, 'expired sessions could not be deleted; tried again later');
    });
  }, sweepIntervalMs);
  return timer.unref();
}
