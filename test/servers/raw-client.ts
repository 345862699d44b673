import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A connection that shows every byte of what a server says, however odd it is. */
export interface RawClient extends AsyncDisposable {
  /** Sends a request for each path at once, without waiting for answers. */
  ask(
    ...requests: readonly { readonly path: string; readonly headers?: Readonly<Record<string, string>> }[]
  ): void;
  /** Everything received, as soon as it contains the text so many times, or the connection has ended. */
  until(text: string, times?: number): Promise<string>;
  /** Everything received until the connection ended; `reset` is added when it did not end in good order. */
  end(): Promise<string>;
}

export async function rawClient(port: number): Promise<RawClient> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let received = '';
  let over = false;
  socket.setEncoding('latin1');
  socket.on('data', (text: string) => {
    received += text;
  });
  socket.on('error', () => {
    received += 'reset';
  });
  socket.on('close', () => {
    over = true;
  });
  return {
    ask(...requests) {
      const lines = requests.map(({ path, headers = {} }) =>
        [`GET ${path} HTTP/1.1`, 'Host: x', ...Object.entries(headers).map(([k, v]) => `${k}: ${v}`)].join(
          '\r\n',
        ),
      );
      socket.write(lines.map((text) => `${text}\r\n\r\n`).join(''));
    },
    async until(text, times = 1) {
      while (!over && received.split(text).length <= times) await change(socket);
      return received;
    },
    async end() {
      while (!over) await change(socket);
      return received;
    },
    async [Symbol.asyncDispose]() {
      socket.destroy();
    },
  };
}

async function change(socket: Socket): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once('data', () => resolve());
  socket.once('close', () => resolve());
  await promise;
}
