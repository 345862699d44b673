import { createHash, type Hash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import type { DigestTask } from './digest-engine.ts';

/** The thread that hashes: one task after the other, over memory it shares with the main thread. */
const memory: SharedArrayBuffer = workerData;
const lanes = new Map<number, Hash>();

parentPort?.on('message', (task: DigestTask) => {
  parentPort?.postMessage([task.id, perform(task)]);
});

function perform(task: DigestTask): string | undefined {
  switch (task.do) {
    case 'begin':
      lanes.set(task.lane, createHash(task.algorithm));
      return undefined;
    case 'update':
      lanes.get(task.lane)?.update(Buffer.from(memory, task.offset, task.length));
      return undefined;
    case 'finish': {
      const hex = lanes
        .get(task.lane)
        ?.update(task.suffix ?? '')
        .digest('hex');
      lanes.delete(task.lane);
      return hex;
    }
    case 'digest':
      return createHash(task.algorithm)
        .update(Buffer.from(memory, task.offset, task.length))
        .digest('hex');
  }
}
