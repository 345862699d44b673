import type { AddressInfo } from 'node:net';
import { ApiError } from '@millrace/api';
import type { FastifyRequest } from 'fastify';
import type { Caller } from '../commands/command.ts';
import { isLoopbackHost } from '../config.ts';
import type { Database } from '../store/database.ts';
import { findRootAdmin } from '../store/users.ts';
import { callerOf } from './authenticate.ts';
import { makeHttpServer, refusal, send, serveCalls } from './calls.ts';
import { type DispatchDependencies, makeDispatcher } from './dispatch.ts';
import type { Metrics } from './metrics.ts';

export interface IntegrationPort {
  readonly port: number;
  close(): Promise<void>;
  /** Cuts the connections that are left. */
  abandon(): void;
}

/**
 * The API without credentials, as CloudStack's `integration.api.port`: whoever reaches this port is the root admin. It
 * is on loopback alone, and answers programs of this machine alone: neither pages that a browser here shows nor what a
 * proxy passes on.
 */
export async function startIntegrationPort(
  options: Omit<DispatchDependencies, 'authenticate'> & {
    readonly listen: { readonly host: string; readonly port: number };
    readonly metrics: Metrics;
    readonly closing: AbortSignal;
  },
): Promise<IntegrationPort> {
  const { listen, log } = options;
  if (!isLoopbackHost(listen.host)) throw new Error('calls without credentials are taken on loopback only');
  const server = await makeHttpServer({ config: {}, log });
  server.addHook('onRequest', async (request, reply) => {
    const problem = foreignness(request);
    if (problem === undefined) return;
    return send(
      reply,
      refusal(new ApiError('UNAUTHORIZED', `this port is for programs of this machine: ${problem}`)),
    );
  });
  const dispatch = makeDispatcher({ ...options, authenticate: () => rootAdmin(options.database) });
  const { metrics, closing } = options;
  serveCalls(server, { paths: ['/', '/client/api', '/client/api/'], dispatch, metrics, closing });
  server.setNotFoundHandler((_request, reply) =>
    send(reply, refusal(new ApiError('UNSUPPORTED_ACTION_ERROR', 'the API is at /client/api'), 404)),
  );
  await server.listen(listen);
  const { port } = server.server.address() as AddressInfo;
  log.warn({ host: listen.host, port }, 'whoever is on this machine may call the API as root admin');
  return { port, close: () => server.close(), abandon: () => server.server.closeAllConnections() };
}

/** What shows that a request was not made by a program on this machine of its own will. */
function foreignness({ headers, raw }: FastifyRequest): string | undefined {
  // a page from anywhere can have a browser call loopback, also by a name of its own that means 127.0.0.1
  const fetchSite = headers['sec-fetch-site'];
  if (headers.origin !== undefined || (fetchSite !== undefined && fetchSite !== 'none'))
    return 'a page in a browser sent this';
  if (headers.forwarded !== undefined || headers['x-forwarded-for'] !== undefined)
    return 'a proxy passed this on';
  const host = raw.headers.host ?? '';
  const name = URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : '';
  return isLoopbackHost(name) ? undefined : 'its Host header names another one';
}

async function rootAdmin(database: Database): Promise<Caller> {
  const user = await findRootAdmin(database);
  if (user) return callerOf(user);
  throw new ApiError('UNAUTHORIZED', 'there is no enabled user of a root admin’s account to act as');
}
