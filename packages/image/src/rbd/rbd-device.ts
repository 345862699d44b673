import { connectNbd, type NbdClient } from './nbd-client.ts';
import type { RbdPool } from './rbd-pool.ts';
import { serveRbdImage } from './rbd-server.ts';

/** An image of an RBD pool, open for writing. */
export interface RbdDevice extends Omit<NbdClient, 'close' | 'destroy'> {
  /** Nobody holds the image any more when this resolves. */
  close(): Promise<void>;
}

/** @throws FetchFault `POOL_UNAVAILABLE` */
export async function openRbdDevice(pool: RbdPool, image: string, signal: AbortSignal): Promise<RbdDevice> {
  const served = await serveRbdImage(pool, image, { signal });
  try {
    const client = await connectNbd(served.socketPath);
    await served.hide();
    return {
      sizeBytes: client.sizeBytes,
      write: client.write,
      readInto: client.readInto,
      flush: client.flush,
      async close() {
        // it ends with its only client, and by then has given the image back
        await client.close();
        await served.ended();
      },
    };
  } catch (error) {
    await served.kill();
    signal.throwIfAborted();
    throw served.faultOf(error);
  }
}
