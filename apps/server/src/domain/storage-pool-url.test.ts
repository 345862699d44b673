import assert from 'node:assert/strict';
import { test } from 'node:test';
import { poolReference } from '@millrace/agent-protocol';
import { sharedPoolPlace } from './storage-pool-url.ts';

const uuid = '0b1d7a52-6f0e-4c4e-8d38-6a3c9b1f2e77';

test('CloudStack’s URLs name a shared directory or an NFS export, in any case, and hosts take what comes of them', () => {
  const cases = [
    ['SharedMountPoint://localhost/mnt/shared/', { type: 'SharedMountPoint', path: '/mnt/shared' }],
    ['sharedmountpoint:///mnt/a%20b', { type: 'SharedMountPoint', path: '/mnt/a b' }],
    [
      'nfs://10.0.0.5/export/primary',
      { type: 'NetworkFilesystem', server: '10.0.0.5', path: '/export/primary' },
    ],
    ['NFS://[fd00::5]/primary', { type: 'NetworkFilesystem', server: '[fd00::5]', path: '/primary' }],
  ] as const;
  for (const [url, place] of cases) {
    assert.deepEqual(sharedPoolPlace(url, {}), place);
    poolReference.parse({ uuid, ...place });
  }
  const { mountOptions } = sharedPoolPlace('nfs://nas/p', { 'nfs.mount.options': 'nfsvers=4.1, hard' });
  assert.equal(mountOptions, 'nfsvers=4.1,hard');
});

test('an RBD pool’s secret is taken as Ceph prints it, percent-encoded, and as CloudStack’s clients write it', () => {
  for (const secret of ['AQ+/xy==', 'AQ-_xy==', 'AQ%2B%2Fxy%3D%3D']) {
    assert.deepEqual(sharedPoolPlace(`rbd://cloud:${secret}@mon1:6790/primary`, {}), {
      type: 'RBD',
      path: 'primary',
      server: 'mon1',
      rbd: { user: 'cloud', secret: 'AQ+/xy==', port: 6790 },
    });
  }
  assert.equal(sharedPoolPlace('RBD://a:b@10.0.0.1,[FD00::5],mon/p', {}).server, '10.0.0.1,[fd00::5],mon');
});

for (const [url, details, rule] of [
  ['/mnt/shared', {}, /url: must be like nfs:/],
  ['ftp://nas/p', {}, /url: must be like nfs:/],
  ['nfs://nas', {}, /absolute directory/],
  ['nfs://nas/', {}, /absolute directory/],
  ['nfs://nas/a,exec', {}, /commas/],
  ['nfs://nas/a%0ab', {}, /absolute directory/],
  ['nfs://user:secret@nas/p', {}, /a host and a path/],
  ['nfs://nas/p?x=1', {}, /a host and a path/],
  ['nfs://-oexec/p', {}, /name the NFS server/],
  ['rbd://mon/pool', {}, /rbd:\/\/USER:SECRET@MONITOR/],
  ['rbd://user:secret@-mon/pool', {}, /name the monitors/],
  ['rbd://user:secret@mon:0/pool', {}, /possible port/],
  ['rbd://user:secret@mon/-pool', {}, /plain name/],
  ['rbd://us,er:secret@mon/pool', {}, /plain name/],
  ['rbd://user:secret!@mon/pool', {}, /base64/],
  ['rbd://user:secret@mon/pool/image', {}, /rbd:\/\/USER:SECRET@MONITOR|name the monitors/],
  ['rbd://user:secret%@mon/pool', {}, /rbd:\/\/USER:SECRET@MONITOR/],
  ['rbd://user:secret@mon/pool', { rbd_default_data_pool: 'x' }, /is not supported for RBD/],
  ['iscsi://nas/p', {}, /kind iscsi are not supported/],
  ['nfs://nas/p', { 'nfs.mount.options': 'exec' }, /exec is not allowed/],
  ['nfs://nas/p', { 'nfs.mount.options': 'a b' }, /is no option of mount/],
  ['nfs://nas/p', { other: 'x' }, /details: other is not supported/],
] as const) {
  test(`${url} ${JSON.stringify(details)} is refused with the rule, and without a secret`, () => {
    assert.throws(
      () => sharedPoolPlace(url, details),
      (error: Error) => rule.test(error.message) && !error.message.includes('secret'),
    );
  });
}
