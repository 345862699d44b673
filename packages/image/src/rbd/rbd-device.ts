import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describeError, hasErrorCode, spawnProgram } from '@millrace/core';
import { FetchFault } from '../errors.ts';
import { connectNbd, type NbdClient } from './nbd-client.ts';
import { type RbdPool, requireRbdName, requireRbdPool, withoutSecret, withSecretFile } from './rbd-pool.ts';

const startsWithinMs = 60_000;

/** An image of an RBD pool, open for writing. */
export interface RbdDevice extends Omit<NbdClient, 'close' | 'destroy'> {
  /** Nobody holds the image any more when this resolves. */
  close(): Promise<void>;
}

/**
 * Opens an image through `qemu-nbd`, at a socket in a directory that only this user enters: no kernel driver, no
 * temporary file, and bytes at any position.
 * @throws FetchFault `POOL_UNAVAILABLE`
 */
export async function openRbdDevice(pool: RbdPool, image: string, signal: AbortSignal): Promise<RbdDevice> {
  requireRbdPool(pool);
  requireRbdName(image);
  const directory = await mkdtemp(join(tmpdir(), 'millrace-nbd-'));
  const socketPath = join(directory, 'socket');
  const stop = new AbortController();
  return withSecretFile(pool, async (descriptor) => {
    const child = spawnProgram('qemu-nbd', argumentsOf(pool, image, socketPath), {
      signal: stop.signal,
      stdio: ['ignore', 'ignore', 'pipe', descriptor],
    });
    let complaints = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      if (complaints.length < 4000) complaints += chunk.toString('utf8');
    });
    let ended = false;
    const gone = Promise.withResolvers<void>();
    const end = () => {
      ended = true;
      gone.resolve();
    };
    child.once('error', (error) => {
      if (!stop.signal.aborted) complaints += error.message;
      if (child.pid === undefined) end();
    });
    child.once('close', end);
    const kill = async () => {
      stop.abort();
      await gone.promise;
      await rm(directory, { recursive: true, force: true });
    };
    try {
      const deadline = performance.now() + startsWithinMs;
      while (!(await stat(socketPath).catch(() => undefined))) {
        signal.throwIfAborted();
        if (ended || performance.now() > deadline) throw new Error('the image is not served');
        await delay(10);
      }
      const client = await connectListening(socketPath, deadline);
      // nobody else comes, and nothing is left of it when this process is killed
      await rm(directory, { recursive: true, force: true });
      return {
        sizeBytes: client.sizeBytes,
        write: client.write,
        readInto: client.readInto,
        flush: client.flush,
        async close() {
          // it ends with its only client, and by then has given the image back
          await client.close();
          await Promise.race([gone.promise, delay(startsWithinMs, undefined, { ref: false })]);
          await kill();
        },
      };
    } catch (error) {
      // by then it has said why
      await kill();
      signal.throwIfAborted();
      const said = withoutSecret(pool, complaints).trim().slice(-500) || describeError(error);
      throw new FetchFault('POOL_UNAVAILABLE', `${pool.pool}/${image}: ${said}`, { cause: error });
    }
  });
}

/** A socket is there a moment before its server listens. */
async function connectListening(socketPath: string, deadline: number): Promise<NbdClient> {
  for (;;) {
    try {
      return await connectNbd(socketPath);
    } catch (error) {
      if (!hasErrorCode(error, 'ECONNREFUSED') || performance.now() > deadline) throw error;
      await delay(10);
    }
  }
}

function argumentsOf(pool: RbdPool, image: string, socketPath: string): string[] {
  const monitors = pool.monitors.flatMap((name, index) => {
    const [, host = name, port = '6789'] = /^(.*?)(?::(\d+))?$/.exec(name) ?? [];
    return [`file.server.${index}.host=${host.replace(/^\[|\]$/g, '')}`, `file.server.${index}.port=${port}`];
  });
  const options = [
    'driver=raw',
    'file.driver=rbd',
    `file.pool=${pool.pool}`,
    `file.image=${image}`,
    'file.conf=/dev/null',
    `file.user=${pool.user}`,
    'file.key-secret=key',
    ...monitors,
  ];
  return [
    '--object',
    'secret,id=key,format=base64,file=/proc/self/fd/3',
    '--cache=writeback',
    '--discard=unmap',
    '-k',
    socketPath,
    '--image-opts',
    options.join(','),
  ];
}
