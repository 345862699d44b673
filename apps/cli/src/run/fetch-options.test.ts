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
      ...[
        '--file',
        'x',
        '--store-format',
        'raw',
        '--ca-file',
        'ca.pem',
        '--signed-by',
        'k.asc',
        '--no-resume',
      ],
      ...['--limit-rate', '20M', '--min-rate', '1.5k', '--max-sources', '2', '--connections', '3'],
      ...['--s3-endpoint', 'https://s3', '--s3-region', 'eu', '--checksum-url', 'https://m/SUMS'],
    ]),
    {
      url: 'https://m/a.qcow2',
      directory: '/images',
      name: 'b.img',
      digest: { algorithm: 'MD5', hex: 'a'.repeat(32) },
      checksumUrl: 'https://m/SUMS',
      wantedFile: 'x',
      format: 'qcow2',
      storeFormat: 'raw',
      caFiles: ['ca.pem'],
      keyFiles: ['k.asc'],
      limitRate: 20_000_000,
      minRate: 1500,
      maxSources: 2,
      connections: 3,
      s3Endpoint: 'https://s3',
      s3Region: 'eu',
      resume: false,
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
  [['ftp://m/a', '--to', 'd'], /no http, https, nfs or s3 URL/],
  [['m/a', '--to', 'd'], /no http, https, nfs or s3 URL/],
  [['http://m/a', 'b', '--to', 'd'], /what is "b"/],
  [['http://m/a', '--to', 'd', '--format', 'vdi'], /unknown format vdi\. There are qcow2, raw, iso/],
  [['http://m/a', '--to', 'd', '--store-format', 'iso'], /--store-format: unknown format iso/],
  [['http://m/a', '--to', 'd', '--limit-rate', '0'], /--limit-rate: 0 is no rate/],
  [['http://m/a', '--to', 'd', '--limit-rate', '5T'], /--limit-rate: 5T is no rate/],
  [['http://m/a', '--to', 'd', '--connections', '0'], /--connections: 0 is no number/],
  [['http://m/a', '--to', 'd', '--checksum-url', 'ftp://m/SUMS'], /--checksum-url: ftp/],
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
  ['http://m/a.ova', 'a.qcow2'],
  ['http://m/a.vmdk.gz', 'a.qcow2'],
  ['nfs://h/export/a.raw', 'a.raw'],
  ['s3://bucket/dir/a.qcow2', 'a.qcow2'],
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
