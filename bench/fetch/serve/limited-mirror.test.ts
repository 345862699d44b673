import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTokens, startLimitedMirror } from './limited-mirror.ts';

test('what all connections take together keeps to the rate', () => {
  let now = 0;
  const take = makeTokens(1000, () => now);
  assert.equal(take(100), 100);
  assert.equal(take(100), 200);
  now = 150;
  assert.equal(take(100), 150);
});

test('an idle mirror has saved up no more than a moment', () => {
  let now = 0;
  const take = makeTokens(1000, () => now);
  now = 60_000;
  assert.equal(take(100), 80);
});

test('a limited mirror serves files and ranges of them, and counts what it sent', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  try {
    await writeFile(join(directory, 'file'), 'some bytes');
    await using mirror = await startLimitedMirror(directory, 1e6);
    const whole = await fetch(`${mirror.origin}/file`);
    assert.equal(await whole.text(), 'some bytes');
    const part = await fetch(`${mirror.origin}/file`, {
      headers: { Range: 'bytes=5-', 'If-Range': whole.headers.get('etag')! },
    });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get('content-range'), 'bytes 5-9/10');
    assert.equal(await part.text(), 'bytes');
    assert.equal(mirror.sentBytes, 15);
    assert.equal((await fetch(`${mirror.origin}/nothing`)).status, 404);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
