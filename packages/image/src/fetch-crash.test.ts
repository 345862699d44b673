import assert from 'node:assert/strict';
import { readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { silentLogger } from '@millrace/core';
import {
  type BadWebServer,
  type RequestRecord,
  repeatedBytes,
  startBadWebServer,
} from '../../../test/servers/bad-web-server.ts';
import { directorySink, fetchImage, partialPath } from './index.ts';
import { segmentLogPath } from './sink/partial-name.ts';
import { metalinkFor, partBytes, patience, published, publishedDigest } from './testing/fault-case.ts';
import { killedAtStep, killedWhen } from './testing/killed-fetch.ts';
import { requestFor, type TemporaryDirectory, temporaryDirectory } from './testing/request.ts';

/** Slow enough that little is on the way in the kernel's buffers, where it counts as sent. */
const bytesPerSecond = 12_000_000;
const digest = publishedDigest;

interface Stage extends AsyncDisposable {
  readonly server: BadWebServer;
  readonly directory: TemporaryDirectory;
  /** What is there under the image's own name. */
  committed(): Promise<Buffer | undefined>;
  /** Fetches again, in this process, to the end. */
  again(url: string, known?: boolean): Promise<void>;
}

async function stage(): Promise<Stage> {
  const server = await startBadWebServer({ files: { image: published }, bytesPerSecond });
  const directory = await temporaryDirectory();
  const path = join(directory.path, 'committed');
  return {
    server,
    directory,
    committed: () => readFile(path).catch(() => undefined),
    async again(url, known = true) {
      const { signal } = new AbortController();
      const sink = directorySink({ directory: directory.path, fileName: 'committed' });
      const request = requestFor(url, { expectedDigest: known ? digest : undefined });
      await fetchImage(request, sink, { signal, log: silentLogger });
      assert.ok((await readFile(path)).equals(published), 'the image is whole');
      assert.deepEqual(await directory.names(), ['committed'], 'nothing is left beside it');
    },
    async [Symbol.asyncDispose]() {
      await server.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

const sentOf = (records: readonly RequestRecord[]) =>
  records.reduce((sum, { bytesSent }) => sum + bytesSent, 0);

for (const [step, visible] of [
  ['sync-data', false],
  ['check-size', false],
  ['rename', false],
  ['sync-directory', true],
  ['done', true],
] as const) {
  test(
    `killed before ${step} of the commit, ${visible ? 'the image is there whole' : 'nothing is to be seen, and the next fetch moves next to nothing'}`,
    patience,
    async () => {
      await using on = await stage();
      const url = on.server.url('ok', 'image');
      assert.ok(await killedAtStep({ url, directory: on.directory.path, digest }, step));
      const there = await on.committed();
      if (visible) assert.ok(there?.equals(published));
      else assert.equal(there, undefined);
      on.server.forget();
      await on.again(url);
      if (!visible)
        assert.ok(on.server.bytesSent() <= partBytes, `${on.server.bytesSent()} bytes were sent again`);
    },
  );
}

/** What a killed fetch may fetch twice: what was on its way on each connection. */
describe('killed in the middle, a fetch goes on where it was', { concurrency: 2 }, () => {
  for (const share of [0.3, 0.6, 0.95]) {
    for (const known of [true, false]) {
      test(`at ${share * 100} % ${known ? 'with a digest' : 'with an ETag only'}`, patience, async () => {
        await using on = await stage();
        const fetch = {
          url: on.server.url('ok', 'image'),
          directory: on.directory.path,
          digest: known ? digest : undefined,
        };
        assert.ok(await killedWhen(fetch, () => on.server.bytesSent() >= share * published.length));
        assert.equal(await on.committed(), undefined);
        await on.again(fetch.url, known);
        const repeated = repeatedBytes(on.server.requests());
        assert.ok(repeated <= 2 * partBytes, `${repeated} bytes were sent twice`);
      });
    }
  }

  test('several times, and with three mirrors', patience, async () => {
    await using on = await stage();
    const urls = [1, 2, 3].map((mirror) => `${on.server.url('ok', 'image')}?mirror=${mirror}&rate=4000000`);
    on.server.setFile('image.metalink', metalinkFor(urls));
    const fetch = { url: on.server.url('ok', 'image.metalink'), directory: on.directory.path };
    const ofImage = () => on.server.requests('/ok/image?');
    for (const share of [0.3, 0.6, 0.9]) {
      await killedWhen(fetch, () => sentOf(ofImage()) >= share * published.length);
      assert.equal(await on.committed(), undefined);
    }
    await on.again(fetch.url, false);
    const repeated = repeatedBytes(ofImage());
    // three kills of three connections, each with a part that arrives and one that is asked for ahead
    assert.ok(repeated <= 3 * 3 * partBytes, `${repeated} bytes were sent twice`);
  });
});

/** Kills a fetch near its end. @returns what it left */
async function leftBy(
  on: Stage,
): Promise<{ readonly partial: string; readonly log: string; readonly url: string }> {
  const url = on.server.url('ok', 'image');
  const late = () => on.server.bytesSent() >= 0.9 * published.length;
  assert.ok(await killedWhen({ url, directory: on.directory.path, digest }, late));
  const log = segmentLogPath(on.directory.path, 'committed');
  on.server.forget();
  return { partial: partialPath(on.directory.path, 'committed'), log, url };
}

/** What may have become of the files until the next fetch; whatever it is, the image is the right one in the end. */
const damages: readonly (readonly [
  name: string,
  damage: (left: { partial: string; log: string }) => Promise<void>,
])[] = [
  [
    'one byte of what was kept is another one',
    async ({ partial }) => {
      const bytes = await readFile(partial);
      bytes[1000]! ^= 1;
      await writeFile(partial, bytes);
    },
  ],
  ['the end of what was kept is lost', ({ partial }) => truncate(partial, 300_000)],
  ['all of what was kept is lost', ({ partial }) => truncate(partial, 0)],
  [
    'the last line of the log is torn',
    async ({ log }) => writeFile(log, (await readFile(log)).subarray(0, -1)),
  ],
  ['the log is empty', ({ log }) => writeFile(log, '')],
  ['the log is something else', ({ log }) => writeFile(log, Buffer.alloc(100_000, 'x'))],
  [
    'the log names segments that the image does not have',
    async ({ log }) => writeFile(log, `${await readFile(log, 'utf8')}123456\n`),
  ],
  [
    'the machine was started anew, and nothing says that anything was synced',
    async ({ log }) => {
      const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
      await writeFile(log, (await readFile(log, 'utf8')).replace(boot, boot.replaceAll(/[0-9a-f]/g, '0')));
    },
  ],
];
describe('what was kept is never believed', { concurrency: 2 }, () => {
  for (const [name, damage] of damages) {
    test(name, patience, async () => {
      await using on = await stage();
      const left = await leftBy(on);
      await damage(left);
      await on.again(left.url);
    });
  }
});

test('what was kept of another image is not mixed into this one', patience, async () => {
  await using on = await stage();
  const other = on.server.url('other-file', 'image');
  const late = () => on.server.bytesSent() >= 0.9 * published.length;
  assert.ok(await killedWhen({ url: other, directory: on.directory.path }, late));
  await on.again(on.server.url('ok', 'image'), false);
});

test('a symbolic link in the place of what was kept is not followed', patience, async () => {
  await using on = await stage();
  await using elsewhere = await temporaryDirectory();
  const victim = join(elsewhere.path, 'victim');
  await writeFile(victim, 'precious');
  const { partial, log, url } = await leftBy(on);
  for (const path of [partial, log]) {
    await rm(path);
    await symlink(victim, path);
  }
  await on.again(url);
  assert.equal(await readFile(victim, 'utf8'), 'precious');
});
