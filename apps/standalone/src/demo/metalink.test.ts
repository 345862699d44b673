import assert from 'node:assert/strict';
import test from 'node:test';
import { writeMetalink } from './metalink.ts';

test('a metalink names size, digest and every mirror with its priority, and escapes what XML must not see', () => {
  const text = writeMetalink({
    name: 'a"b.qcow2.bz2',
    sizeBytes: 7,
    sha256: 'ab',
    urls: ['http://127.0.0.1:9/a?x=1&y=2', 'http://127.0.0.1:81/a'],
  });
  assert.match(text, /<file name="a&quot;b\.qcow2\.bz2">/);
  assert.match(text, /<size>7<\/size>/);
  assert.match(text, /<hash type="sha-256">ab<\/hash>/);
  assert.match(text, /<url priority="1">http:\/\/127\.0\.0\.1:9\/a\?x=1&amp;y=2<\/url>/);
  assert.match(text, /<url priority="2">http:\/\/127\.0\.0\.1:81\/a<\/url>/);
});
