import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import test from 'node:test';
import { requireFreePort } from './ports.ts';

test('a port that becomes free while one waits is fine', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const free = requireFreePort(port, '--port', AbortSignal.timeout(30_000));
  let settled = false;
  void free.then(() => {
    settled = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(settled, false);
  await new Promise((resolve) => server.close(resolve));
  await free;
});
