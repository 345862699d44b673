import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startBadWebServer } from '../../../test/servers/bad-web-server.ts';
import { patience, published, publishedDigest } from './testing/fault-case.ts';
import { fetchOnce } from './testing/fetch-case.ts';
import { metalinkOf, requestFor } from './testing/request.ts';

/** A near mirror that is slow, and a far one that is fast: who put the near one first pays for the far one only if asked to. */
async function fetchedFrom(
  minBytesPerSecond: number | undefined,
  nearRate: number,
): Promise<readonly boolean[]> {
  await using server = await startBadWebServer({ files: { image: published } });
  const near = `${server.url('ok', 'image')}?mirror=near&rate=${nearRate}`;
  const far = `${server.url('ok', 'image')}?mirror=far`;
  const metalink = metalinkOf([near, far], { sha256: publishedDigest.hex, size: published.length });
  server.setFile('image.metalink', metalink);
  const request = requestFor(server.url('ok', 'image.metalink'), { limits: { minBytesPerSecond } });
  const outcome = await fetchOnce(request, published);
  assert.ok(outcome.fetched, outcome.failure?.message);
  return ['near', 'far'].map((name) => server.requests(`mirror=${name}`).length > 0);
}

test('a lower rank is left alone as long as the best one works, however slow it is', patience, async () => {
  assert.deepEqual(await fetchedFrom(undefined, 1_500_000), [true, false]);
});

test('a lower rank is left alone while the better ones are fast enough', patience, async () => {
  assert.deepEqual(await fetchedFrom(500_000, 1_500_000), [true, false]);
});

test(
  'a lower rank joins in when the better ones together stay under the rate that was asked for',
  patience,
  async () => {
    const begun = performance.now();
    assert.deepEqual(await fetchedFrom(2_000_000, 400_000), [true, true]);
    assert.ok(performance.now() - begun < 12_000, 'the slow one alone would have taken 16 s');
  },
);
