import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../failures.ts';
import { fetchHelp, fetchOptionNames, nameOf, readFetchOptions, readHeaders } from './fetch-options.ts';

test('everything that can be asked of a fetch is read', () => {
  assert.deepEqual(
    readFetchOptions([
      'https://m/a.qcow2',
      '--to=/images',
      '--name',
      'b.img',
      '--checksum',
      `{MD5}${'A'.repeat(32)}`,
      '--format',
      'QCOW2',
      '--header',
      'A: b',
      '--header=C: d',
      '--location',
      'de',
      '--egress-policy',
      '--force',
      '--json',
      '-q',
    ]),
    {
      url: 'https://m/a.qcow2',
      directory: '/images',
      name: 'b.img',
      digest: { algorithm: 'MD5', hex: 'a'.repeat(32) },
      format: 'qcow2',
      headers: ['A: b', 'C: d'],
      location: ['de'],
      egressPolicy: true,
      force: true,
      json: true,
      quiet: true,
    },
  );
});

test('help is asked for in two ways and names every option', () => {
  assert.equal(readFetchOptions(['--help']), undefined);
  assert.equal(readFetchOptions(['x', '-h']), undefined);
  for (const name of fetchOptionNames) if (name !== '--help') assert(fetchHelp.includes(name), name);
});

for (const [argv, message] of [
  [[], /What to fetch/],
  [['http://m/a'], /Where to\? Give --to DIR/],
  [['ftp://m/a', '--to', 'd'], /no http or https URL/],
  [['m/a', '--to', 'd'], /no http or https URL/],
  [['http://m/a', 'b', '--to', 'd'], /what is "b"/],
  [['http://m/a', '--to', 'd', '--format', 'vmdk'], /Unknown format vmdk\. There are qcow2, raw, iso/],
  [['http://m/a', '--to', 'd', '--checksum', 'xyz'], /--checksum: malformed checksum/],
  [['http://m/a', '--to', 'd', '--name', '../a'], /cannot be the name/],
  [['http://m/a', '--to', 'd', '--name', '.a'], /cannot be the name/],
  [['http://m/', '--to', 'd'], /gives no usable file name\. Give one: --name/],
  [['http://m/%2e%2e%2fetc', '--to', 'd'], /gives no usable file name/],
  [['http://m/a', '--to'], /--to/],
  [['http://m/a', '--tto', 'd'], /--tto/],
] as const) {
  test(`fetch ${argv.join(' ')} is refused`, () => {
    assert.throws(
      () => readFetchOptions(argv),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  });
}

for (const [url, name] of [
  ['http://m/a.qcow2', 'a.qcow2'],
  ['http://m/x/a.qcow2.bz2?sig=1#f', 'a.qcow2'],
  ['http://m/a.qcow2.xz.meta4', 'a.qcow2'],
  ['http://m/debian%2012.raw.zst', 'debian 12.raw'],
  ['http://m/a.metalink', 'a'],
] as const) {
  test(`the image at ${url} is called ${name}`, () => assert.equal(nameOf(url), name));
}

test('headers are read, and a wrong one is refused without repeating it', () => {
  assert.deepEqual(readHeaders(['Authorization: Bearer a:b', 'X-A:1 ']), {
    Authorization: 'Bearer a:b',
    'X-A': '1',
  });
  for (const line of ['secret', 'a b: c', 'A: b\r\nC: d', ': x']) {
    assert.throws(
      () => readHeaders([line]),
      (error) => error instanceof UsageError && !error.message.includes(line),
    );
  }
});
