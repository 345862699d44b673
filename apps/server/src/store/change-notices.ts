import { describeError, type Logger, sleep } from '@millrace/core';
import pg from 'pg';

/** A table that was changed, and the account whose row it was; undefined: nobody's. */
export interface ChangeNotice {
  readonly table: string;
  readonly accountId: number | undefined;
}

export interface ChangeNotices {
  /** Resolves when changes are heard of for the first time. */
  readonly listening: Promise<void>;
  /** @returns what ends the listening */
  subscribe(listener: (notice: ChangeNotice) => void): () => void;
  close(): Promise<void>;
}

const channel = 'millrace_changed';
const retryMs = 2000;

/**
 * Listens for what any server changes, on a connection of its own: LISTEN belongs to a connection. Notices that were sent
 * while it is broken are lost, so whoever depends on them must look from time to time all the same.
 */
export function listenForChanges(options: {
  readonly databaseUrl: string;
  readonly log: Logger;
}): ChangeNotices {
  const listeners = new Set<(notice: ChangeNotice) => void>();
  const stopping = new AbortController();
  const listening = Promise.withResolvers<void>();
  const run = async () => {
    while (!stopping.signal.aborted) {
      try {
        await listenOnce(options.databaseUrl, stopping.signal, listening.resolve, (payload) => {
          const notice = readNotice(payload);
          for (const listener of listeners) listener(notice);
        });
      } catch (error) {
        options.log.debug({ error: describeError(error) }, 'changes are not heard of for a moment');
      }
      await sleep(retryMs, stopping.signal).catch(() => {});
    }
  };
  const running = run();
  return {
    listening: listening.promise,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async close() {
      stopping.abort();
      await running;
    },
  };
}

/** Resolves when it is told to stop. @throws Error when the connection breaks */
async function listenOnce(
  connectionString: string,
  signal: AbortSignal,
  ready: () => void,
  hear: (payload: string) => void,
): Promise<void> {
  const client = new pg.Client({ connectionString, keepAlive: true });
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {});
  client.on('error', broken.reject);
  client.on('end', () => broken.reject(new Error('the connection ended')));
  client.on('notification', ({ payload }) => hear(payload ?? ''));
  const stopped = Promise.withResolvers<void>();
  const stop = () => stopped.resolve();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await client.connect();
    await client.query(`listen ${channel}`);
    ready();
    if (signal.aborted) return;
    await Promise.race([stopped.promise, broken.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
    await client.end().catch(() => {});
  }
}

function readNotice(payload: string): ChangeNotice {
  const [table = '', account = ''] = payload.split(' ');
  return { table, accountId: account === '' ? undefined : Number(account) };
}
