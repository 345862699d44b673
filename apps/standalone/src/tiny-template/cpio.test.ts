import assert from 'node:assert/strict';
import test from 'node:test';
import { packCpio } from './cpio.ts';

/** Reads the archive back by the format's own rules. */
function unpack(archive: Buffer) {
  const found: { path: string; mode: number; content: string; rdev: string }[] = [];
  for (let at = 0; ; ) {
    assert.equal(archive.toString('latin1', at, at + 6), '070701');
    const number = (index: number) =>
      Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const path = archive.toString('utf8', at + 110, at + 110 + number(11) - 1);
    const start = Math.ceil((at + 110 + number(11)) / 4) * 4;
    if (path === 'TRAILER!!!') return found;
    const content = archive.toString('utf8', start, start + number(6));
    found.push({ path, mode: number(1), content, rdev: `${number(9)}:${number(10)}` });
    at = Math.ceil((start + number(6)) / 4) * 4;
  }
}

test('an archive holds every entry with its type, mode and content', () => {
  const archive = packCpio([
    { kind: 'directory', path: 'dev' },
    { kind: 'character-device', path: 'dev/console', major: 5, minor: 1 },
    { kind: 'file', path: 'init', mode: 0o755, content: Buffer.from('#!/bin/busybox sh\n') },
    { kind: 'symlink', path: 'sh', target: 'bin/busybox' },
  ]);
  assert.deepEqual(unpack(archive), [
    { path: 'dev', mode: 0o040755, content: '', rdev: '0:0' },
    { path: 'dev/console', mode: 0o020600, content: '', rdev: '5:1' },
    { path: 'init', mode: 0o100755, content: '#!/bin/busybox sh\n', rdev: '0:0' },
    { path: 'sh', mode: 0o120777, content: 'bin/busybox', rdev: '0:0' },
  ]);
});

test('every member starts on a multiple of four bytes whatever the lengths are', () => {
  for (let length = 0; length < 9; length++) {
    const archive = packCpio([
      { kind: 'file', path: 'a'.repeat(length + 1), content: Buffer.alloc(length, 120) },
      { kind: 'file', path: 'last', content: Buffer.from('end') },
    ]);
    assert.equal(archive.length % 4, 0);
    assert.equal(unpack(archive)[1]?.content, 'end');
  }
});
