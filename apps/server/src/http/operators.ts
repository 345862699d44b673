import { BlockList, isIP } from 'node:net';
import { describeError, type Logger } from '@millrace/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { sql } from 'kysely';
import type { ServerConfig } from '../config.ts';
import type { Database } from '../store/database.ts';
import type { Metrics } from './metrics.ts';

/** A load balancer asks every second or two: by then it wants to know. */
const healthPatienceMs = 2000;

/**
 * What operators' machines ask: `/healthz` (200 while the database answers, else 503) and `/metrics` for Prometheus, the
 * latter from loopback and `config.metricsCidrs` only, since it tells how large the cloud is.
 */
export function serveOperators(
  server: FastifyInstance,
  options: {
    readonly config: ServerConfig;
    readonly database: Database;
    readonly metrics: Metrics;
    readonly log: Logger;
  },
): void {
  const { config, database, metrics, log } = options;
  server.get('/healthz', async (_request, reply) => {
    const healthy = await answersInTime(database);
    return reply
      .code(healthy ? 200 : 503)
      .headers({ 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
      .send(healthy ? 'ok\n' : 'the database does not answer\n');
  });
  const allowed = networks(config.metricsCidrs);
  server.get('/metrics', async (request, reply) => {
    if (!mayReadMetrics(request, allowed, config.trustedProxies !== undefined)) {
      return reply
        .code(403)
        .type('text/plain')
        .send('metrics are for the addresses in MILLRACE_METRICS_CIDRS\n');
    }
    try {
      const text = await metrics.text();
      return reply.type(metrics.contentType).send(text);
    } catch (error) {
      log.warn({ error: describeError(error) }, 'the figures of the cloud could not be read');
      return reply.code(503).type('text/plain').send('the database does not answer\n');
    }
  });
}

async function answersInTime(database: Database): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), healthPatienceMs);
  sql`select 1`.execute(database).then(
    () => resolve(true),
    () => resolve(false),
  );
  return promise.finally(() => clearTimeout(timer));
}

/** A proxy that nobody declared speaks for anybody: what came through one does not count as loopback. */
function mayReadMetrics(request: FastifyRequest, allowed: BlockList, proxiesKnown: boolean): boolean {
  const { headers } = request;
  const throughProxy = headers['x-forwarded-for'] !== undefined || headers['forwarded'] !== undefined;
  if (throughProxy && !proxiesKnown) return false;
  const version = isIP(request.ip);
  return version !== 0 && allowed.check(request.ip, version === 6 ? 'ipv6' : 'ipv4');
}

function networks(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of ['127.0.0.0/8', '::1/128', ...cidrs]) {
    const [address = '', bits] = cidr.split('/');
    list.addSubnet(address, Number(bits), address.includes(':') ? 'ipv6' : 'ipv4');
  }
  return list;
}
