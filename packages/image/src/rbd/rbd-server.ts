import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describeError, spawnProgram } from '@millrace/core';
import { FetchFault } from '../errors.ts';
import { type RbdPool, requireRbdName, requireRbdPool, withoutSecret, withSecretFile } from './rbd-pool.ts';

const withinMs = 60_000;

/** An image of an RBD pool that a program serves to one client. It ends with that client. */
export interface ServedRbdImage {
  readonly socketPath: string;
  /** Takes the socket away: nobody else comes, and nothing is left of it when this process is killed. */
  hide(): Promise<void>;
  /** After the client's end: nobody holds the image any more when this resolves. */
  ended(): Promise<void>;
  /** Ends it at once. Safe to call at any time. */
  kill(): Promise<void>;
  /** Why it failed, as a fault: it has said why by the time it is gone. */
  faultOf(error: unknown): FetchFault;
  /** Whether it ended by itself with a complaint. */
  hasFailed(): boolean;
}

/**
 * Serves an image with `qemu-nbd`, at a socket in a directory that only this user enters: no kernel driver, no temporary
 * file, and bytes at any position.
 * @throws FetchFault `POOL_UNAVAILABLE`
 */
export async function serveRbdImage(
  pool: RbdPool,
  image: string,
  { signal, readOnly = false }: { readonly signal: AbortSignal; readonly readOnly?: boolean },
): Promise<ServedRbdImage> {
  requireRbdPool(pool);
  requireRbdName(image);
  const directory = await mkdtemp(join(tmpdir(), 'millrace-nbd-'));
  const socketPath = join(directory, 'socket');
  const stop = new AbortController();
  return withSecretFile(pool, async (descriptor) => {
    const child = spawnProgram('qemu-nbd', argumentsOf(pool, image, { socketPath, readOnly }), {
      signal: stop.signal,
      stdio: ['ignore', 'ignore', 'pipe', descriptor],
    });
    let complaints = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      if (complaints.length < 4000) complaints += chunk.toString('utf8');
    });
    let over = false;
    const gone = Promise.withResolvers<void>();
    const end = () => {
      over = true;
      gone.resolve();
    };
    child.once('error', (error) => {
      if (!stop.signal.aborted) complaints += error.message;
      if (child.pid === undefined) end();
    });
    child.once('close', end);
    const hide = () => rm(directory, { recursive: true, force: true });
    const kill = async () => {
      stop.abort();
      await gone.promise;
      await hide();
    };
    const faultOf = (error: unknown) => {
      const said = withoutSecret(pool, complaints).trim().slice(-500) || describeError(error);
      return new FetchFault('POOL_UNAVAILABLE', `${pool.pool}/${image}: ${said}`, { cause: error });
    };
    try {
      const deadline = performance.now() + withinMs;
      while (!(await isListening(socketPath))) {
        signal.throwIfAborted();
        if (over || performance.now() > deadline) throw new Error('the image is not served');
        await delay(10);
      }
    } catch (error) {
      await kill();
      signal.throwIfAborted();
      throw faultOf(error);
    }
    return {
      socketPath,
      hide,
      async ended() {
        await Promise.race([gone.promise, delay(withinMs, undefined, { ref: false })]);
        await kill();
      },
      kill,
      faultOf,
      hasFailed: () => over && complaints !== '' && !stop.signal.aborted,
    };
  });
}

/** A socket is there a moment before its server listens, and a client that comes then is refused. */
async function isListening(socketPath: string): Promise<boolean> {
  const accepting = '00010000';
  return (await readFile('/proc/net/unix', 'utf8'))
    .split('\n')
    .some((line) => line.endsWith(` ${socketPath}`) && line.split(' ')[3] === accepting);
}

function argumentsOf(
  pool: RbdPool,
  image: string,
  { socketPath, readOnly }: { readonly socketPath: string; readonly readOnly: boolean },
): string[] {
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
    ...(readOnly ? ['--read-only'] : []),
    '--discard=unmap',
    '-k',
    socketPath,
    '--image-opts',
    options.join(','),
  ];
}
