import { connect, type Socket } from 'node:net';

/**
 * The part of the NBD protocol that writes and reads a device: fixed newstyle handshake, simple replies.
 * Source: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
 */
export interface NbdClient {
  readonly sizeBytes: number;
  write(position: number, bytes: Buffer): Promise<void>;
  readInto(position: number, target: Buffer): Promise<void>;
  /** Everything written is on stable storage. */
  flush(): Promise<void>;
  /** Says goodbye and waits until the connection is closed. */
  close(): Promise<void>;
  destroy(): void;
}

const optionMagic = Buffer.from('IHAVEOPT');
const requestMagic = 0x25609513;
const replyMagic = 0x67446698;
const requests = { read: 0, write: 1, disconnect: 2, flush: 3 } as const;
const fixedNewstyleNoZeroes = 3;
const exportName = 1;
/** Servers take 32 MiB at least. */
const maxRequestBytes = 8 * 1024 * 1024;
const errnoNames: Readonly<Record<number, string>> = { 1: 'EPERM', 5: 'EIO', 22: 'EINVAL', 28: 'ENOSPC' };

interface Pending {
  readonly target: Buffer | undefined;
  resolve(): void;
  reject(error: unknown): void;
}

export async function connectNbd(socketPath: string): Promise<NbdClient> {
  const socket = connect(socketPath);
  const incoming = readerOf(socket);
  try {
    const greeting = await incoming.take(18);
    if (greeting.toString('latin1', 0, 16) !== 'NBDMAGICIHAVEOPT') throw new Error('this is no NBD server');
    const choice = Buffer.alloc(20);
    choice.writeUInt32BE(fixedNewstyleNoZeroes, 0);
    optionMagic.copy(choice, 4);
    choice.writeUInt32BE(exportName, 12);
    socket.write(choice);
    const answer = await incoming.take(10);
    return clientOf(socket, incoming, Number(answer.readBigUInt64BE(0)));
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function clientOf(socket: Socket, incoming: Incoming, sizeBytes: number): NbdClient {
  const pending = new Map<bigint, Pending>();
  let last = 0n;
  let broken: unknown;
  const closed = Promise.withResolvers<void>();
  socket.once('close', () => closed.resolve());
  void readReplies(incoming, pending).catch((error: unknown) => {
    broken = error;
    for (const request of pending.values()) request.reject(error);
    pending.clear();
    socket.destroy();
  });
  const send = (type: number, position: number, length: number, target?: Buffer, bytes?: Buffer) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (broken !== undefined) throw broken;
    last += 1n;
    pending.set(last, { target, resolve, reject });
    socket.cork();
    socket.write(header(type, last, position, length));
    if (bytes) socket.write(bytes);
    socket.uncork();
    return promise;
  };
  const inParts = async (length: number, one: (at: number, end: number) => Promise<void>) => {
    for (let at = 0; at < length; at += maxRequestBytes)
      await one(at, Math.min(length, at + maxRequestBytes));
  };
  return {
    sizeBytes,
    write: (position, bytes) =>
      inParts(bytes.length, (at, end) =>
        send(requests.write, position + at, end - at, undefined, bytes.subarray(at, end)),
      ),
    readInto: (position, target) =>
      inParts(target.length, (at, end) =>
        send(requests.read, position + at, end - at, target.subarray(at, end)),
      ),
    flush: async () => send(requests.flush, 0, 0),
    async close() {
      socket.end(header(requests.disconnect, 0n, 0, 0));
      await closed.promise;
    },
    destroy: () => {
      socket.destroy();
    },
  };
}

function header(type: number, handle: bigint, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(28);
  bytes.writeUInt32BE(requestMagic, 0);
  bytes.writeUInt16BE(type, 6);
  bytes.writeBigUInt64BE(handle, 8);
  bytes.writeBigUInt64BE(BigInt(position), 16);
  bytes.writeUInt32BE(length, 24);
  return bytes;
}

async function readReplies(incoming: Incoming, pending: Map<bigint, Pending>): Promise<void> {
  for (;;) {
    const reply = await incoming.take(16);
    const request = pending.get(reply.readBigUInt64BE(8));
    if (reply.readUInt32BE(0) !== replyMagic || !request) throw new Error('the NBD server lost its thread');
    const failure = reply.readUInt32BE(4);
    if (failure === 0 && request.target) await incoming.fill(request.target);
    pending.delete(reply.readBigUInt64BE(8));
    if (failure === 0) request.resolve();
    else request.reject(deviceError(failure));
  }
}

function deviceError(failure: number): Error {
  const code = errnoNames[failure] ?? `error ${failure}`;
  return Object.assign(new Error(`the block device answers ${code}`), { code });
}

interface Incoming {
  take(length: number): Promise<Buffer>;
  fill(target: Buffer): Promise<void>;
}

function readerOf(socket: Socket): Incoming {
  const chunks = socket.iterator({ destroyOnReturn: false });
  let rest: Buffer = Buffer.alloc(0);
  const fill = async (target: Buffer) => {
    let filled = 0;
    while (filled < target.length) {
      if (rest.length === 0) {
        const next = await chunks.next();
        if (next.done) throw new Error('the NBD server closed the connection');
        rest = next.value;
      }
      const copied = rest.copy(target, filled);
      rest = rest.subarray(copied);
      filled += copied;
    }
  };
  return {
    fill,
    async take(length) {
      const target = Buffer.alloc(length);
      await fill(target);
      return target;
    },
  };
}
