import assert from 'node:assert/strict';
import test from 'node:test';
import { orderModules } from './kernel-modules.ts';

const dependencies = [
  'kernel/drivers/virtio/virtio.ko:',
  'kernel/drivers/virtio/virtio_ring.ko: kernel/drivers/virtio/virtio.ko',
  'kernel/net/core/failover.ko:',
  'kernel/drivers/net/net_failover.ko: kernel/net/core/failover.ko',
  'kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net_failover.ko kernel/net/core/failover.ko kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko',
  'kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko',
].join('\n');

test('a module comes after everything it needs, and each only once', () => {
  const order = orderModules(dependencies, '', ['virtio-net', 'virtio_blk']);
  assert.deepEqual(
    order.map((path) => path.slice(path.lastIndexOf('/') + 1)),
    ['virtio.ko', 'virtio_ring.ko', 'failover.ko', 'net_failover.ko', 'virtio_net.ko', 'virtio_blk.ko'],
  );
});

test('a module that is built into the kernel needs no file', () => {
  assert.deepEqual(orderModules(dependencies, 'kernel/drivers/acpi/button.ko\n', ['button']), []);
});

test('a module the kernel does not have is an error that names it', () => {
  assert.throws(() => orderModules(dependencies, '', ['virtio_blk', 'vfat']), /no module vfat/);
});
