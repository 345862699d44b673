import { parseArgs } from 'node:util';
import { type CommitStep, directorySink } from '../index.ts';

/**
 * Writes an image into `--directory` and stays there: in the middle of writing (`--stop-at writing`), or before the
 * named step of the commit. Prints one line when it is there, so that a test can kill it at that very point.
 */
const { values } = parseArgs({ options: { directory: { type: 'string' }, 'stop-at': { type: 'string' } } });
const stopAt = values['stop-at'];

async function standStill(): Promise<void> {
  console.log(`at ${stopAt}`);
  setInterval(() => {}, 60_000);
  await new Promise(() => {});
}

const sink = directorySink({
  directory: values.directory ?? '',
  fileName: 'committed',
  onCommitStep: (step: CommitStep) => (step === stopAt ? standStill() : undefined),
});
const image = await sink.open(new AbortController().signal);
await image.write(0, Buffer.alloc(100_000, 'a'));
if (stopAt === 'writing') await standStill();
await image.write(100_000, Buffer.alloc(100_000, 'b'));
await image.commit(200_000);
