import { access } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/**
 * What the pages may do (CSP level 3): their own scripts only, none inline; styles inline, since the component library
 * writes them at run time. Nobody may frame them.
 */
const pageHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

/** Answers a request for a page of the console. False: there is no console, or this is no such request. */
export type SendPage = (request: FastifyRequest, reply: FastifyReply) => boolean;

/**
 * Serves the web console's files, where it has been built. Paths of pages are the console's own business: all of them get
 * the one document.
 */
export async function serveConsole(
  server: FastifyInstance,
  directory: string | undefined,
): Promise<SendPage> {
  const built = directory !== undefined && (await isThere(join(directory, 'index.html')));
  if (!built) return () => false;
  await server.register(fastifyStatic, {
    root: directory,
    // only files that exist get a route: everything else is a page or an error
    wildcard: false,
    index: false,
    cacheControl: false,
    setHeaders(reply, path) {
      // built files are named after their content
      const lasting = path.includes('/assets/');
      reply.header('cache-control', lasting ? 'public, max-age=31536000, immutable' : 'no-cache');
      for (const [name, value] of Object.entries(pageHeaders)) reply.header(name, value);
    },
  });
  return (request, reply) => {
    const accepts = request.headers.accept ?? '';
    const isPage = request.method === 'GET' && accepts.includes('text/html');
    if (!isPage || request.url.startsWith('/client/')) return false;
    void reply.sendFile('index.html');
    return true;
  };
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
