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
  readonly drained: Promise<SlabOutput>;
  close(): void;
}

/** What came out, and the last bytes of it, as many as were asked for. */
export interface SlabOutput {
  readonly bytes: number;
  readonly tail: Buffer;
}

export async function openSlabOutlet(
  writer: ImageWriter,
  { tailBytes, signal }: { readonly tailBytes: number; readonly signal: AbortSignal },
): Promise<SlabOutlet> {
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
    const reading = readIntoSlabs(path, writer, { first: await writer.slab(), tailBytes });
    const { socket, drained } = reading;
    const stdout = await orAborted(accepted, signal).catch((error: unknown) => {
      socket.destroy();
      // it comes all the same, and nobody would take it
      accepted.then((late) => late.destroy()).catch(() => {});
      throw error;
    });
    const abort = () => socket.destroy(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    const settled = drained.finally(() => signal.removeEventListener('abort', abort));
    // whoever fails before the end does not wait for it any more
    settled.catch(() => {});
    return {
      stdout,
      drained: settled,
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
  { first, tailBytes }: { readonly first: Slab; readonly tailBytes: number },
): { readonly socket: Socket; readonly drained: Promise<SlabOutput> } {
  const { promise: drained, resolve, reject } = Promise.withResolvers<SlabOutput>();
  drained.catch(() => {});
  let current: Slab | undefined = first;
  let bytes = 0;
  let tail = Buffer.alloc(0);
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
  const give = (slab: Slab, length: number): Promise<void> => {
    bytes += length;
    const last = Buffer.from(slab.bytes.subarray(Math.max(0, length - tailBytes), length));
    tail = Buffer.concat([tail, last]).subarray(-tailBytes || undefined);
    return writer.writeSlab(slab, length);
  };
  const handOver = async (slab: Slab, length: number) => {
    await give(slab, length);
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
  const finish = async (): Promise<SlabOutput> => {
    await handing;
    const slab = current;
    current = undefined;
    if (ended || !slab) return { bytes, tail };
    ended = true;
    if (filled > 0) await give(slab, filled);
    else slab.release();
    return { bytes, tail };
  };
  socket.once('end', () => {
    finish().then(resolve, reject);
  });
  socket.once('close', () => fail(new Error('the way out of the program was closed')));
  return { socket, drained };
}
