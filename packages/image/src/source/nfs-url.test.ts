import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FetchFault } from '../errors.ts';
import { nfsToolUrl, parseNfsUrl } from './nfs-url.ts';

test('host, port, directory, file and version are read from an NFS URL', () => {
  assert.deepEqual(parseNfsUrl('nfs://nas.example:2050/vol/images/a%20b%23.raw?version=4'), {
    host: 'nas.example',
    port: 2050,
    directory: '/vol/images',
    name: 'a b#.raw',
    version: 4,
  });
  assert.deepEqual(parseNfsUrl('nfs://[fd00::5]/vol/x'), {
    host: 'fd00::5',
    port: undefined,
    directory: '/vol',
    name: 'x',
    version: undefined,
  });
});

test('URLs that would say something else to libnfs are refused', () => {
  for (const url of [
    'nfs:/vol/x',
    'nfs:///vol/x',
    'nfs://host/x',
    'nfs://host/vol/',
    'nfs://host//vol/x',
    'nfs://host/vol//x',
    'nfs://host/vol/x?uid=0',
    'nfs://host/vol/x?version=3&uid=0',
    'nfs://host/vol/x?version=5',
    'nfs://host/vol/x?version=3&version=4',
    'nfs://host/vol/x%3Fuid=0',
    'nfs://host/vol/x%253Fuid=0',
    'nfs://host/vol/..%2F..%2Fetc/passwd',
    'nfs://host/vol/%00x',
    'nfs://host/vol/%0Ax',
    'nfs://host/vol/%FF',
    'nfs://me:secret@host/vol/x',
    'nfs://host:0/vol/x',
    'nfs://host:99999/vol/x',
    `nfs://host/vol/${'x'.repeat(1001)}`,
    'vol/x',
  ]) {
    assert.throws(
      () => parseNfsUrl(url),
      (error) =>
        error instanceof FetchFault &&
        error.code === 'SOURCE_URL_INVALID' &&
        !error.message.includes('secret'),
      url,
    );
  }
  assert.throws(() => parseNfsUrl('file:///etc/passwd'), { code: 'SCHEME_REFUSED' });
});

test('the tools get the checked address, the decoded path and nobody’s identity', () => {
  const file = parseNfsUrl('nfs://nas.example:2050/vol/a%20b');
  assert.equal(
    nfsToolUrl(file, { address: '192.0.2.7', version: 3 }),
    'nfs://192.0.2.7/vol/a b?version=3&uid=65534&gid=65534&auto-traverse-mounts=0&nfsport=2050',
  );
  assert.equal(
    nfsToolUrl(parseNfsUrl('nfs://nas.example/vol/x'), {
      address: 'fd00::5',
      version: 4,
      directoryOnly: true,
    }),
    'nfs://fd00::5/vol?version=4&uid=65534&gid=65534&auto-traverse-mounts=0',
  );
});
