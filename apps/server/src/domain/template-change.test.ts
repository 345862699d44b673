import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changedDetails, isOtherImage, shownSecret } from './template-change.ts';

const present = { 'HTTP_HEADER:Authorization': 'Bearer one', rootDiskController: 'virtio' };

test('details that are not named stay, and an empty value removes one', () => {
  assert.deepEqual(
    changedDetails(present, { details: { rootDiskController: 'scsi', a: 'b' }, cleanUp: false }),
    {
      'HTTP_HEADER:Authorization': 'Bearer one',
      rootDiskController: 'scsi',
      a: 'b',
    },
  );
  assert.deepEqual(
    changedDetails(present, { details: { 'HTTP_HEADER:Authorization': '' }, cleanUp: false }),
    {
      rootDiskController: 'virtio',
    },
  );
  assert.deepEqual(changedDetails(present, { cleanUp: true }), {});
});

test('a secret that comes back as it was shown stays what it is', () => {
  const details = { 'HTTP_HEADER:Authorization': shownSecret, rootDiskController: shownSecret };
  assert.deepEqual(changedDetails(present, { details, cleanUp: false }), {
    'HTTP_HEADER:Authorization': 'Bearer one',
    rootDiskController: shownSecret,
  });
  assert.throws(
    () => changedDetails({}, { details: { 's3.secretkey': shownSecret }, cleanUp: false }),
    /s3\.secretkey has no value to keep/,
  );
});

const strong = `{SHA-256}${'a'.repeat(64)}`;
const other = `{SHA-256}${'b'.repeat(64)}`;
const weak = `{MD5}${'a'.repeat(32)}`;
const cases = [
  // before, after, committed, is it another image
  ['nothing changed', {}, {}, [], false],
  ['another URL, and nothing says that it is the same', {}, { url: 'v' }, [], true],
  [
    'a mirror moved: the checksum is the same',
    { checksum: strong },
    { url: 'v', checksum: strong },
    [],
    false,
  ],
  ['a weak checksum says too little', { checksum: weak }, { url: 'v', checksum: weak }, [], true],
  ['another checksum', { checksum: strong }, { checksum: other }, [], true],
  ['the first checksum: what is there was never compared with it', {}, { checksum: strong }, [], true],
  ['the first checksum, which what is there has', {}, { checksum: strong }, [strong], false],
  ['another URL with the checksum of what is there', {}, { url: 'v', checksum: strong }, [strong], false],
  ['no checksum any more', { checksum: strong }, {}, [], false],
  ['no checksum any more, and another URL', { checksum: strong }, { url: 'v' }, [], true],
  ['another format', { checksum: strong }, { checksum: strong, format: 'RAW' }, [strong], true],
] as const;
for (const [name, before, after, committed, expected] of cases) {
  test(`whether it is another image: ${name}`, () => {
    const image = { url: 'u', format: 'QCOW2', checksum: undefined };
    assert.equal(isOtherImage({ ...image, ...before }, { ...image, ...after }, committed), expected);
  });
}
