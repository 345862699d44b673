import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { MillraceError } from '@millrace/core';
import type { ImageSink } from '@millrace/image';

/** One place for one image, fresh for each test. */
export interface SinkTarget extends AsyncDisposable {
  readonly sink: ImageSink;
  /** What users of the place see under the image's final name; `undefined` when there is nothing. */
  visible(): Promise<Buffer | undefined>;
  /** Everything the sink has put there, hidden things included. */
  traces(): Promise<readonly string[]>;
  /** Puts something under the final name, as an earlier commit would have. */
  occupy(content: Buffer): Promise<void>;
}

/** What every ImageSink must do. `makeTarget` is called once for each test. */
export function imageSinkContract(name: string, makeTarget: () => Promise<SinkTarget>): void {
  const { signal } = new AbortController();
  const content = randomBytes(300_001);

  test(`${name}: an image is invisible until its commit and whole after it`, async () => {
    await using target = await makeTarget();
    const image = await target.sink.open(signal);
    for (let at = 0; at < content.length; at += 70_000)
      await image.write(at, content.subarray(at, at + 70_000));
    assert.equal(image.sizeBytes, content.length);
    assert.equal(await target.visible(), undefined);
    await image.commit(content.length);
    assert.deepEqual(await target.visible(), content);
    assert.equal((await target.traces()).length, 1);
  });

  test(`${name}: what was written can be read back before the commit, at any position`, async () => {
    await using target = await makeTarget();
    const image = await target.sink.open(signal);
    await image.write(0, content);
    assert.deepEqual(await image.read(0, 100), content.subarray(0, 100));
    assert.deepEqual(await image.read(123_456, 70_000), content.subarray(123_456, 193_456));
    assert.deepEqual(await image.read(content.length - 10, 100), content.subarray(-10));
    assert.equal((await image.read(content.length + 5, 10)).length, 0);
    await image.abort();
  });

  test(`${name}: an abort removes every trace and may be repeated`, async () => {
    await using target = await makeTarget();
    const image = await target.sink.open(signal);
    await image.write(0, content);
    await image.abort();
    await image.abort();
    assert.deepEqual(await target.traces(), []);
  });

  test(`${name}: an abort after the commit does nothing`, async () => {
    await using target = await makeTarget();
    const image = await target.sink.open(signal);
    await image.write(0, content);
    await image.commit(content.length);
    await image.abort();
    assert.deepEqual(await target.visible(), content);
  });

  test(`${name}: a commit with another size than was written is refused and leaves nothing visible`, async () => {
    for (const wrong of [content.length - 1, content.length + 1, 0]) {
      await using target = await makeTarget();
      const image = await target.sink.open(signal);
      await image.write(0, content);
      await assert.rejects(
        image.commit(wrong),
        (error) => error instanceof MillraceError && error.code === 'COMMIT_SIZE_WRONG',
      );
      assert.equal(await target.visible(), undefined);
      await image.abort();
      assert.deepEqual(await target.traces(), []);
    }
  });

  test(`${name}: opening again discards what an earlier attempt wrote`, async () => {
    await using target = await makeTarget();
    const first = await target.sink.open(signal);
    await first.write(0, content);
    await first.abort();
    // and once more without an abort, as after a crash
    const forgotten = await target.sink.open(signal);
    await forgotten.write(0, content);
    const second = await target.sink.open(signal);
    assert.equal(second.sizeBytes, 0);
    await second.write(0, content.subarray(0, 10));
    // whoever comes late to tidy up must not tidy away what belongs to another
    await forgotten.abort();
    await second.commit(10);
    assert.deepEqual(await target.visible(), content.subarray(0, 10));
    assert.equal((await target.traces()).length, 1);
  });

  test(`${name}: an earlier image stays as it is until the commit replaces it`, async () => {
    await using target = await makeTarget();
    const old = Buffer.from('old');
    await target.occupy(old);
    const image = await target.sink.open(signal);
    await image.write(0, content);
    assert.deepEqual(await target.visible(), old);
    await image.commit(content.length);
    assert.deepEqual(await target.visible(), content);
  });

  test(`${name}: an image that cannot fit is refused with figures before a byte is written`, async () => {
    await using target = await makeTarget();
    await assert.rejects(target.sink.open(signal, { sizeBytes: Number.MAX_SAFE_INTEGER }), (error) => {
      assert.ok(error instanceof MillraceError);
      assert.equal(error.code, 'POOL_FULL');
      assert.match(error.message, new RegExp(`${Number.MAX_SAFE_INTEGER}.*\\d+ are free`));
      return true;
    });
    assert.deepEqual(await target.traces(), []);
  });

  test(`${name}: an aborted signal keeps it from being opened`, async () => {
    await using target = await makeTarget();
    const reason = new Error('not any more');
    await assert.rejects(target.sink.open(AbortSignal.abort(reason)), reason);
    assert.deepEqual(await target.traces(), []);
  });

  test(`${name}: nothing can be written after the commit or the abort`, async () => {
    await using target = await makeTarget();
    const aborted = await target.sink.open(signal);
    await aborted.abort();
    await assert.rejects(aborted.write(0, content));
    await assert.rejects(aborted.commit(0));
    const committed = await target.sink.open(signal);
    await committed.commit(0);
    await assert.rejects(committed.write(0, content));
  });
}
