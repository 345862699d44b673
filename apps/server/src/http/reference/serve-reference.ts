import type { FastifyInstance, FastifyReply } from 'fastify';
import { openApiDocument } from './openapi.ts';
import { commandPage, indexPage, styleSheet } from './pages.ts';

/** The pages have no script at all, and one style sheet of their own (CSP level 3). */
const headers = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache',
} as const;

const htmlType = 'text/html; charset=utf-8';
const longestSearch = 200;

/**
 * The reference of the API at `/docs`, for everybody: it tells what this release can do and nothing about this cloud.
 * Made at the request, from the registry.
 */
export function serveReference(server: FastifyInstance): void {
  const send = (reply: FastifyReply, type: string, body: string) =>
    reply.headers(headers).type(type).send(body);
  const openApi = JSON.stringify(openApiDocument());
  for (const url of ['/docs', '/docs/']) {
    server.get(url, (request, reply) => send(reply, htmlType, indexPage(searchOf(request.query))));
  }
  server.get('/docs/style.css', (_request, reply) => send(reply, 'text/css; charset=utf-8', styleSheet));
  server.get('/docs/openapi.json', (_request, reply) => send(reply, 'application/json', openApi));
  server.get<{ Params: { name: string } }>('/docs/:name', (request, reply) => {
    const page = commandPage(request.params.name);
    if (page === undefined) return reply.callNotFound();
    return send(reply, htmlType, page);
  });
}

function searchOf(query: unknown): string {
  const isRecord = typeof query === 'object' && query !== null && 'q' in query;
  return isRecord && typeof query.q === 'string' ? query.q.slice(0, longestSearch) : '';
}
