import { parentPort, workerData } from 'node:worker_threads';
import { makeCampaign } from './campaign.ts';
import { sharedState } from './shared-state.ts';
import { loadTarget, readCorpus } from './target.ts';

/** Runs one target until it is terminated. */

export interface WorkerTask {
  readonly target: string;
  readonly seed: number;
  readonly memory: SharedArrayBuffer;
}

export type WorkerReport =
  | { readonly kind: 'new-answer'; readonly bytes: Uint8Array; readonly answer: string }
  | { readonly kind: 'failure'; readonly bytes: Uint8Array; readonly stack: string };

/** Lets messages out, which wait for the event loop, now and then. */
const executionsPerTurn = 500;
const mostFailures = 20;

const task = workerData as WorkerTask;
const report = (message: WorkerReport) => parentPort?.postMessage(message);
const shared = sharedState(task.memory);
const target = await loadTarget(task.target);
const corpus = (await readCorpus(task.target)).map(([, bytes]) => bytes);
const failures = new Set<string>();
const campaign = await makeCampaign(target, corpus, task.seed);
for (let execution = 1; ; execution++) {
  const bytes = campaign.next();
  shared.begin(bytes);
  try {
    // a copy: a parser that changed its input would make findings that cannot be repeated
    const answer = await target.run(Buffer.from(bytes));
    if (campaign.learn(bytes, answer)) report({ kind: 'new-answer', bytes, answer: answer! });
  } catch (error) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    // of one bug, found a thousand times a second, one input is enough
    const place = stack.split('\n').slice(0, 3).join('\n').replaceAll(/\d+/g, '');
    if (failures.size < mostFailures && !failures.has(place)) {
      failures.add(place);
      report({ kind: 'failure', bytes, stack });
    }
  }
  if (execution % executionsPerTurn === 0) await new Promise(setImmediate);
}
