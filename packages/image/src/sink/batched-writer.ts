import type { OpenImage } from '../types.ts';

/** Writes in large pieces, one of them on its way to the disk while the next is gathered. */
export interface BatchedWriter {
  /** Resolves when the chunk has been taken, not when it is written. Rejects with what an earlier write failed with. */
  write(chunk: Buffer): Promise<void>;
  /** Resolves when everything is written. */
  flush(): Promise<void>;
}

export function makeBatchedWriter(image: Pick<OpenImage, 'write'>, batchBytes = 1024 * 1024): BatchedWriter {
  let gathered: Buffer[] = [];
  let size = 0;
  let underWay: Promise<void> = Promise.resolve();
  const start = async () => {
    if (size === 0) return;
    const batch = gathered.length === 1 ? gathered[0]! : Buffer.concat(gathered, size);
    gathered = [];
    size = 0;
    await underWay;
    underWay = image.write(batch);
    // it is awaited before the next write begins; until then a failure must not count as unhandled
    underWay.catch(() => {});
  };
  return {
    async write(chunk) {
      gathered.push(chunk);
      size += chunk.length;
      if (size >= batchBytes) await start();
    },
    async flush() {
      await start();
      await underWay;
    },
  };
}
