import { parseArgs } from 'node:util';
import { parseChecksum, silentLogger } from '@millrace/core';
import { type CommitStep, directorySink, fetchImage } from '../index.ts';
import { requestFor } from './request.ts';

/**
 * Fetches `--url` into `--directory`, for a test to kill: at any time, or before the step of the commit that `--stop-at`
 * names, where it stands still after it has printed a line.
 */
const { values } = parseArgs({
  options: {
    url: { type: 'string', default: '' },
    directory: { type: 'string', default: '' },
    checksum: { type: 'string' },
    'stop-at': { type: 'string' },
  },
});

async function standStill(step: CommitStep): Promise<void> {
  console.log(`at ${step}`);
  setInterval(() => {}, 60_000);
  await new Promise(() => {});
}

const expectedDigest = values.checksum === undefined ? undefined : parseChecksum(values.checksum);
const sink = directorySink({
  directory: values.directory,
  fileName: 'committed',
  onCommitStep: (step) => (step === values['stop-at'] ? standStill(step) : undefined),
});
const { signal } = new AbortController();
await fetchImage(requestFor(values.url, { expectedDigest }), sink, { signal, log: silentLogger });
