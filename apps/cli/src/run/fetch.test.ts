import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fetchErrors } from '@millrace/image';
import { exitCodeOfFetch } from './fetch.ts';

for (const [code, status] of [
  ['DIGEST_MISMATCH', 5],
  ['IMAGE_BACKING_FILE', 5],
  ['TRANSFER_TOO_LARGE', 5],
  ['EGRESS_REFUSED', 5],
  ['POOL_FULL', 6],
  ['DECODER_MISSING', 6],
  ['ALL_SOURCES_FAILED', 3],
  ['TRANSFER_STALLED', 3],
  ['METALINK_UNUSABLE', 3],
  ['REQUEST_MALFORMED', 2],
  ['SOMETHING_NEW', 1],
] as const) {
  test(`a fetch that fails with ${code} ends with status ${status}`, () => {
    assert.equal(exitCodeOfFetch(code), status);
  });
}

test('every way a fetch can fail has a status of its class', () => {
  for (const code of Object.keys(fetchErrors)) assert([1, 2, 3, 5, 6].includes(exitCodeOfFetch(code)), code);
});
