import { once } from 'node:events';
import { chmod, mkdir, rm } from 'node:fs/promises';
import {
  type AddressInfo,
  connect as connectSocket,
  createServer as createSocketServer,
  type Server,
} from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { connect, createServer, type TLSSocket } from 'node:tls';

/**
 * libvirt moves a running guest over two connections: its own, and QEMU's with the memory. Neither is let out of a host:
 * both go through one tunnel between the agents, encrypted and authenticated with a secret that the server made for this
 * one move (TLS with a pre-shared key, RFC 4279).
 */

/** Node has keys shared beforehand in TLS 1.2 only; this suite has forward secrecy (RFC 8442 §4). */
const security = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
  ciphers: 'ECDHE-PSK-CHACHA20-POLY1305:@SECLEVEL=0',
} as const;
const identity = 'millrace-migration';
/** One byte tells which of the two connections it is. */
const channels = { libvirt: 0x4c, memory: 0x4d } as const;
type Channel = keyof typeof channels;

const handshakeTimeoutMs = 10_000;

/** Where the two connections begin and end on a host. QEMU names the second by the same path on both hosts. */
export interface MigrationPaths {
  readonly directory: string;
  readonly libvirt: string;
  readonly memory: string;
}

/** @param session a UUID that the server made up: nobody else on the host can guess the directory */
export function migrationPaths(session: string): MigrationPaths {
  const directory = `/run/millrace-migration/${session}`;
  return { directory, libvirt: join(directory, 'libvirt'), memory: join(directory, 'memory') };
}

export interface Tunnel extends AsyncDisposable {
  readonly port: number;
}

/** The end on the host that takes the guest. @param secret 64 hex digits */
export async function openTarget(options: {
  readonly paths: MigrationPaths;
  readonly secret: string;
  readonly libvirtSocket: string;
}): Promise<Tunnel> {
  const { paths } = options;
  // QEMU, which is another user, makes its socket in there
  await makeDirectory(paths.directory, 0o733);
  const sockets = new Set<Duplex>();
  const server = createServer(
    {
      ...security,
      allowHalfOpen: true,
      handshakeTimeout: handshakeTimeoutMs,
      pskCallback: (_, name) => (name === identity ? Buffer.from(options.secret, 'hex') : null),
    },
    (socket) => {
      track(sockets, socket);
      void readChannel(socket).then((channel) => {
        if (channel === undefined) return void socket.destroy();
        const path = channel === 'libvirt' ? options.libvirtSocket : paths.memory;
        const local = connectSocket({ path, allowHalfOpen: true });
        track(sockets, local);
        joinBoth(socket, local);
      });
    },
  );
  server.on('tlsClientError', () => {});
  server.listen(0, '::');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => close(server, sockets, paths.directory),
  };
}

/** The end on the host that gives the guest away. */
export async function openSource(options: {
  readonly paths: MigrationPaths;
  readonly secret: string;
  readonly address: string;
  readonly port: number;
}): Promise<AsyncDisposable> {
  const { paths } = options;
  await makeDirectory(paths.directory, 0o711);
  const sockets = new Set<Duplex>();
  const servers: Server[] = [];
  for (const channel of ['libvirt', 'memory'] as const) {
    const server = createSocketServer({ allowHalfOpen: true }, (local) => {
      track(sockets, local);
      const socket = dial(options, channel);
      track(sockets, socket);
      joinBoth(local, socket);
    });
    server.listen(paths[channel]);
    await once(server, 'listening');
    // QEMU is another user
    await chmod(paths[channel], 0o666);
    servers.push(server);
  }
  return {
    async [Symbol.asyncDispose]() {
      const [first, ...others] = servers;
      for (const server of others) server.close();
      await close(first!, sockets, paths.directory);
    },
  };
}

function dial(
  { address, port, secret }: { readonly address: string; readonly port: number; readonly secret: string },
  channel: Channel,
): TLSSocket {
  const socket = connect({
    ...security,
    socket: connectSocket({ host: address, port, allowHalfOpen: true }),
    pskCallback: () => ({ psk: Buffer.from(secret, 'hex'), identity }),
    // there are no certificates: whoever has the secret is the other host
    checkServerIdentity: () => undefined,
  });
  socket.write(Uint8Array.of(channels[channel]));
  return socket;
}

async function readChannel(socket: TLSSocket): Promise<Channel | undefined> {
  socket.pause();
  for (;;) {
    const byte = socket.read(1) as Buffer | null;
    if (byte) return (Object.keys(channels) as Channel[]).find((name) => channels[name] === byte[0]);
    if (socket.readableEnded || socket.destroyed) return undefined;
    await once(socket, 'readable').catch(() => {});
  }
}

/** Each way ends by itself: libvirt closes one before the other. What breaks ends both, and whoever waits sees that. */
function joinBoth(one: Duplex, other: Duplex): void {
  Promise.all([pipeline(one, other), pipeline(other, one)]).catch(() => {
    one.destroy();
    other.destroy();
  });
}

function track(sockets: Set<Duplex>, socket: Duplex): void {
  sockets.add(socket);
  // two pipelines listen to each, which is more than Node takes for granted
  socket.setMaxListeners(30);
  socket.once('close', () => sockets.delete(socket));
  socket.on('error', () => {});
}

async function makeDirectory(path: string, mode: number): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { recursive: true });
  // whatever the umask
  await chmod(path, mode);
}

async function close(server: Server, sockets: ReadonlySet<Duplex>, directory: string): Promise<void> {
  server.close();
  for (const socket of sockets) socket.destroy();
  await rm(directory, { recursive: true, force: true });
}
