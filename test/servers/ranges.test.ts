import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partFor } from './ranges.ts';
import { servedBuffer } from './served-files.ts';

const file = servedBuffer(Buffer.alloc(100, 'x'));
const { etag = '', lastModified = '' } = file;
const part = (headers: Record<string, string>, validators = file) => partFor(headers, file, validators);
const whole = { status: 200, start: 0, end: 100 };

test('one range is answered with that range, bounded by the file', () => {
  for (const [range, start, end] of [
    ['bytes=0-0', 0, 1],
    ['bytes=10-19', 10, 20],
    ['bytes=10-', 10, 100],
    ['bytes=90-1000', 90, 100],
    ['bytes=-10', 90, 100],
    ['bytes=-1000', 0, 100],
    ['Bytes=1-2', 1, 3],
  ] as const) {
    assert.deepEqual(part({ range }), { status: 206, start, end }, range);
  }
});

test('what is no single range of bytes is answered with the whole file', () => {
  for (const range of ['bytes=0-1,5-6', 'items=0-1', 'bytes=5-1', 'bytes=-', 'bytes=a-b', 'bytes=']) {
    assert.deepEqual(part({ range }), whole, range);
  }
  assert.deepEqual(part({}), whole);
});

test('a range behind the end is 416', () => {
  for (const range of ['bytes=100-', 'bytes=100-200', 'bytes=-0']) assert.equal(part({ range }), 416, range);
});

test('If-Range gives the range to whoever has the very version, and the whole to everybody else', () => {
  const range = 'bytes=10-19';
  const ranged = { status: 206, start: 10, end: 20 };
  assert.deepEqual(part({ range, 'if-range': etag }), ranged);
  assert.deepEqual(part({ range, 'if-range': lastModified }), ranged);
  for (const ifRange of ['"other"', `W/${etag}`, 'Thu, 02 Jan 2025 00:00:00 GMT']) {
    assert.deepEqual(part({ range, 'if-range': ifRange }), whole, ifRange);
  }
  const weak = { ...file, etag: `W/${etag}` };
  assert.deepEqual(part({ range, 'if-range': weak.etag }, weak), whole, 'a weak validator never matches');
});

test('If-Match and If-Unmodified-Since of another version are 412', () => {
  assert.equal(part({ 'if-match': '"other"' }), 412);
  assert.equal(part({ 'if-match': `W/${etag}` }), 412);
  assert.deepEqual(part({ 'if-match': `"other", ${etag}` }), whole);
  assert.deepEqual(part({ 'if-match': '*' }), whole);
  assert.equal(part({ 'if-unmodified-since': 'Tue, 31 Dec 2024 00:00:00 GMT' }), 412);
  assert.deepEqual(part({ 'if-unmodified-since': lastModified }), whole);
});
