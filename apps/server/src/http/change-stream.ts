import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../commands/command.ts';
import type { ChangeNotice, ChangeNotices } from '../store/change-notices.ts';

export interface ChangeStreamOptions {
  readonly changes: ChangeNotices;
  /** Who asks. @throws ApiError 401 */
  readonly authenticate: (request: FastifyRequest) => Promise<Caller>;
}

/** So long notices are gathered: a deployment changes its rows several times a second. */
const gatherMs = 250;
/** A comment, so that proxies keep the connection and a dead one is noticed; and the session is looked at again. */
const breathMs = 20_000;
/** A browser has one per tab. */
const mostStreams = 2000;
/** Below the API's path, which is as far as the session's cookies go. */
const path = '/client/api/changes';

/**
 * `GET /client/api/changes`: server-sent events (WHATWG HTML, 9.2) that say which kinds of rows have changed, never what is in
 * them: `data: ["vm_instance","async_job"]`. What changed, the API tells to whoever may see it. Rows of other accounts are
 * news for root admins only.
 * @returns what ends every stream
 */
export function serveChanges(server: FastifyInstance, options: ChangeStreamOptions): () => void {
  const open = new Set<FastifyReply>();
  server.get(path, async (request, reply) => {
    const caller = await options.authenticate(request);
    if (open.size >= mostStreams)
      return reply.code(503).type('text/plain').send('this server has no room for a further stream\n');
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // nginx would gather what is meant to be seen at once
      'x-accel-buffering': 'no',
    });
    raw.write('retry: 3000\n: open\n\n');
    open.add(reply);
    const gathered = new Set<string>();
    let timer: NodeJS.Timeout | undefined;
    const send = () => {
      timer = undefined;
      // a reader that is behind gets the newest state later: notices need no queue
      if (raw.writableNeedDrain) return;
      raw.write(`data: ${JSON.stringify([...gathered])}\n\n`);
      gathered.clear();
    };
    const unsubscribe = options.changes.subscribe((notice) => {
      if (!isNewsFor(caller, notice)) return;
      gathered.add(notice.table);
      timer ??= setTimeout(send, gatherMs);
    });
    const breath = setInterval(() => {
      options.authenticate(request).then(
        () => raw.write(': still here\n\n'),
        () => raw.end(),
      );
    }, breathMs);
    raw.once('close', () => {
      unsubscribe();
      clearInterval(breath);
      clearTimeout(timer);
      open.delete(reply);
    });
    return reply;
  });
  return () => {
    for (const { raw } of open) raw.end();
  };
}

function isNewsFor(caller: Caller, { accountId }: ChangeNotice): boolean {
  return accountId === undefined || caller.role === 'admin' || accountId === caller.accountId;
}
