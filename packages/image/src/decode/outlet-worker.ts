import { readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { OutletTask, OutletThread } from './slab-outlet.ts';

/** The thread that reads what a program prints: waiting for it here keeps neither the sockets nor the program waiting. */
const { memory, pipe }: OutletThread = workerData;

parentPort?.on('message', ({ offset, length }: OutletTask) => {
  const bytes = new Uint8Array(memory, offset, length);
  let filled = 0;
  while (filled < length) {
    const count = readSync(pipe, bytes, filled, length - filled, null);
    if (count === 0) break;
    filled += count;
  }
  parentPort?.postMessage(filled);
});
