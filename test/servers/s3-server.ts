import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type S3Credentials, signatureRefusal } from './s3-signature.ts';
import { sendFile } from './send-file.ts';
import { servedBuffer } from './served-files.ts';

export interface S3Server extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly endpoint: string;
  /** `METHOD status path`, without queries. */
  requests(): readonly string[];
}

export interface S3ServerOptions {
  /** By `bucket/key`. */
  readonly objects: Readonly<Record<string, Uint8Array>>;
  readonly credentials: S3Credentials;
  /** The server's clock. */
  readonly now?: () => number;
}

/** An S3 endpoint that reads objects, and only for requests whose signature holds. */
export async function startS3Server(options: S3ServerOptions): Promise<S3Server> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    response.on('error', () => {});
    answer(request, response, options).then(
      () =>
        asked.push(`${request.method} ${response.statusCode} ${(request.url ?? '').replace(/\?.*/s, '')}`),
      (error: unknown) => response.destroy(error instanceof Error ? error : undefined),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => [...asked],
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: S3ServerOptions,
): Promise<void> {
  const refuse = (status: number, code: string) => {
    response.writeHead(status, { 'content-type': 'application/xml' });
    response.end(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`);
  };
  const { method = '', url = '', headers } = request;
  const refusal = signatureRefusal(
    { method, target: url, headers },
    options.credentials,
    (options.now ?? Date.now)(),
  );
  if (refusal !== undefined) return refuse(403, refusal);
  const name = decodeURIComponent(url.replace(/\?.*/s, '').slice(1));
  const content = Object.hasOwn(options.objects, name) ? options.objects[name] : undefined;
  if (content === undefined) return refuse(404, 'NoSuchKey');
  const file = servedBuffer(content);
  await sendFile({ request, response, file, throttles: [], onBytes: () => {}, onStatus: () => {} });
}
