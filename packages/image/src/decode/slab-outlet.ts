import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { orAborted } from '@millrace/core';
import { headBytes } from '../inspect/inspect-image.ts';
import type { Slab } from '../memory/slab-pool.ts';
import type { ImageWriter } from '../transfer/image-writer.ts';

/**
 * A way out of a program straight into slabs. The pipes that Node makes for a child are read into a new Buffer each time,
 * which takes longer than unpacking zstd does; a socket of our own is read into the memory that is written to the disk.
 */
export interface SlabOutlet {
  /** To be given to the program as its stdout, and destroyed here once it has started. */
  readonly stdout: Socket;
  /** Resolves when the program, and whoever else holds its stdout, has closed it and everything is with the writer. */
  readonly drained: Promise<void>;
  close(): void;
}

export async function openSlabOutlet(writer: ImageWriter, signal: AbortSignal): Promise<SlabOutlet> {
  signal.throwIfAborted();
  // a name in a directory that nobody else can enter: whoever could connect first could put bytes into the image
  const directory = await mkdtemp(join(tmpdir(), 'millrace-outlet-'));
  const path = join(directory, 'stdout');
  const server = createServer({ pauseOnConnect: true });
  try {
    const accepted = new Promise<Socket>((resolve, reject) => {
      server.once('connection', resolve);
      server.once('error', reject);
    });
    accepted.catch(() => {});
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    });
    const { socket, drained } = readIntoSlabs(path, writer, await writer.slab());
    const stdout = await orAborted(accepted, signal);
    const abort = () => socket.destroy(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    return {
      stdout,
      drained: drained.finally(() => signal.removeEventListener('abort', abort)),
      close() {
        stdout.destroy();
        socket.destroy();
      },
    };
  } finally {
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
}

function readIntoSlabs(
  path: string,
  writer: ImageWriter,
  first: Slab,
): { readonly socket: Socket; readonly drained: Promise<void> } {
  const { promise: drained, resolve, reject } = Promise.withResolvers<void>();
  drained.catch(() => {});
  let current: Slab | undefined = first;
  let filled = 0;
  let looked = false;
  let ended = false;
  let handing: Promise<void> = Promise.resolve();

  // smaller than any slab
  const scratch = Buffer.alloc(4096);

  const fail = (error: unknown) => {
    if (ended) return;
    ended = true;
    current?.release();
    current = undefined;
    socket.destroy();
    reject(error);
  };
  /** A full slab goes to the writer, and reading goes on when there is another one. */
  const handOver = async (slab: Slab, length: number) => {
    await writer.writeSlab(slab, length);
    const next = await writer.slab();
    if (ended) return next.release();
    current = next;
    filled = 0;
    socket.resume();
  };
  const socket = connect({
    path,
    onread: {
      // asked after every read, also after one that filled a slab, when there is no other one yet
      buffer: () => current?.bytes.subarray(filled) ?? scratch,
      callback(count, buffer) {
        const slab = current;
        if (!slab || ended) return false;
        if (buffer === scratch) scratch.copy(slab.bytes, filled, 0, count);
        filled += count;
        try {
          if (!looked && filled >= headBytes) {
            looked = true;
            writer.look(slab, filled);
          }
        } catch (error) {
          fail(error);
          return false;
        }
        if (filled < slab.bytes.length) return true;
        current = undefined;
        handing = handOver(slab, filled);
        handing.catch(fail);
        return false;
      },
    },
  });
  socket.on('error', fail);
  const finish = async () => {
    await handing;
    const slab = current;
    current = undefined;
    if (ended || !slab) return;
    ended = true;
    if (filled > 0) await writer.writeSlab(slab, filled);
    else slab.release();
  };
  socket.once('end', () => {
    finish().then(resolve, reject);
  });
  socket.once('close', () => fail(new Error('the way out of the program was closed')));
  return { socket, drained };
}
