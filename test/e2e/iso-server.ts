import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A web server with ISOs. */
export interface IsoServer {
  /** A metalink whose first mirror is dead, and whose second one has the file. @returns its URL */
  metalink(name: string): Promise<string>;
  close(): void;
}

export async function serveIsos(files: Readonly<Record<string, Buffer>>): Promise<IsoServer> {
  const bodies = new Map<string, Buffer>(Object.entries(files));
  const server = createServer((request, response) => {
    const body = bodies.get((request.url ?? '').slice(1));
    if (body) response.writeHead(200, { 'content-length': body.length }).end(body);
    else response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    async metalink(name) {
      const urls = [`http://127.0.0.1:${port}/dead/${name}`, `http://127.0.0.1:${port}/${name}`];
      const list = urls.map((url, index) => `<url priority="${index + 1}">${url}</url>`).join('');
      const body = `<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="${name}">${list}</file></metalink>`;
      bodies.set(`${name}.meta4`, Buffer.from(body));
      return `http://127.0.0.1:${port}/${name}.meta4`;
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
