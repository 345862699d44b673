import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { silentLogger } from '@millrace/core';
import { startBadWebServer } from '../../../test/servers/bad-web-server.ts';
import { directorySink, type FetchedImage, FetchFailure, fetchImage } from './index.ts';
import { patience, published, publishedDigest } from './testing/fault-case.ts';
import { requestFor, temporaryDirectory } from './testing/request.ts';

/**
 * Nobody fetches one image into one place twice at the same time on purpose. A host that was given up, and is not dead,
 * does. Whatever becomes of the two, what is committed stays what it was when it was verified.
 */
for (const [name, second] of [
  ['the same bytes', 'ok?rate=6000000'],
  ['wrong bytes', 'other-file?rate=6000000'],
] as const) {
  test(
    `a second fetch into the same place, of ${name}, changes nothing that the first one has committed`,
    patience,
    async () => {
      await using server = await startBadWebServer({ files: { image: published } });
      await using directory = await temporaryDirectory();
      const path = join(directory.path, 'committed');
      const url = (source: string) => {
        const [segment, query] = source.split('?');
        return `${server.origin}/${segment}/image?${query}`;
      };
      const fetchFrom = (source: string): Promise<FetchedImage | FetchFailure> => {
        const sink = directorySink({ directory: directory.path, fileName: 'committed' });
        const request = requestFor(url(source), {
          expectedDigest: publishedDigest,
          limits: { checksumAttempts: 1 },
        });
        const options = { signal: new AbortController().signal, log: silentLogger, keepPartial: true };
        return fetchImage(request, sink, options).catch((error: unknown) => {
          if (error instanceof FetchFailure) return error;
          throw error;
        });
      };
      const first = fetchFrom('ok?rate=10000000');
      while (server.bytesSent() < 0.5 * published.length) await delay(5);
      const others = fetchFrom(second);
      const results = [await first];
      const whenFirstEnded = await readFile(path).catch(() => undefined);
      results.push(await others);
      const whenBothEnded = await readFile(path).catch(() => undefined);
      if (whenFirstEnded) assert.ok(whenFirstEnded.equals(published), 'what was committed first is whole');
      const someoneHasIt = results.some((result) => !(result instanceof FetchFailure));
      assert.equal(whenBothEnded !== undefined, someoneHasIt, 'whoever says so has committed it');
      if (whenBothEnded) assert.ok(whenBothEnded.equals(published), 'what is committed is whole');
    },
  );
}
