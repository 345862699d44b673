import type { IncomingMessage } from 'node:http';

export interface RequestRecord {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The header of that name. */
  readonly range?: string;
  /** 1 for the first connection of the server, and so on. */
  readonly connection: number;
  readonly status: number;
  /** The byte of the file that the body begins with. */
  readonly from: number;
  /** Bytes of the body handed to the connection. */
  readonly bytesSent: number;
}

export type OpenRecord = { -readonly [K in keyof RequestRecord]: RequestRecord[K] };

export function newRecord(request: IncomingMessage, connection: number): OpenRecord {
  const headers = Object.entries(request.headers).map(([name, value]) => [name, String(value)]);
  const { range } = request.headers;
  return {
    method: request.method ?? 'GET',
    path: request.url ?? '/',
    headers: Object.fromEntries(headers),
    ...(range === undefined ? {} : { range }),
    connection,
    status: 0,
    from: 0,
    bytesSent: 0,
  };
}

export function sumOfBytes(records: readonly RequestRecord[]): number {
  return records.reduce((sum, { bytesSent }) => sum + bytesSent, 0);
}

/** Bytes of one file that these requests were sent more than once: 0 when every byte moved once. */
export function repeatedBytes(records: readonly RequestRecord[]): number {
  const sent = records
    .filter(({ status, bytesSent }) => (status === 200 || status === 206) && bytesSent > 0)
    .map(({ from, bytesSent }) => ({ start: from, end: from + bytesSent }))
    .sort((a, b) => a.start - b.start);
  let reached = 0;
  let repeated = 0;
  for (const { start, end } of sent) {
    repeated += Math.max(0, Math.min(end, reached) - start);
    reached = Math.max(reached, end);
  }
  return repeated;
}
