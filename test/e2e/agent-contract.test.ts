import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serverMethods, type VmStateReport } from '@millrace/agent-protocol';
import { runProgram, spawnProgram } from '@millrace/core';
import { makeTestAuthority } from '../../apps/agent/src/testing/authority.ts';
import { startTestServer } from '../../apps/agent/src/testing/server.ts';
import { type AgentUnderContract, agentContract } from '../contracts/agent.ts';
import { microGuestDisk } from '../fixtures/micro-guest.ts';

/** The real agent, with real libvirt and QEMU, under the contract of agents. The simulated one: test/contracts/agent-sim.test.ts. */

const main = fileURLToPath(new URL('../../apps/agent/src/main.ts', import.meta.url));
const { signal } = new AbortController();

async function start(): Promise<AgentUnderContract> {
  const directory = await mkdtemp(join(tmpdir(), 'agent-contract-'));
  // QEMU runs as a user of its own and has to reach the pool
  await runProgram('chmod', ['0755', directory], { signal });
  const poolPath = join(directory, 'pool');
  await mkdir(poolPath, { mode: 0o755 });
  const raw = join(directory, 'guest.raw');
  await writeFile(raw, microGuestDisk({ tag: 'contract', powersOffAfterSeconds: 0 }));
  const qcow2 = join(directory, 'guest.qcow2');
  await runProgram('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, qcow2], { signal });
  const image = await readFile(qcow2);
  const released = Promise.withResolvers<void>();
  const images = createServer(async (request, response) => {
    if (request.url === '/missing.qcow2') return void response.writeHead(404).end();
    response.writeHead(200, { 'content-length': image.length });
    if (request.url === '/slow.qcow2') {
      response.write(image.subarray(0, 70_000));
      await released.promise;
      response.end(image.subarray(70_000));
    } else response.end(image);
  });
  images.listen(0, '127.0.0.1');
  await once(images, 'listening');
  const { port } = images.address() as AddressInfo;
  const source = (name: string) => ({
    url: `http://127.0.0.1:${port}/${name}.qcow2`,
    headers: {},
    format: 'qcow2' as const,
  });
  const hostUuid = randomUUID();
  const authority = await makeTestAuthority();
  const changes: VmStateReport[] = [];
  const server = await startTestServer({
    authority,
    hostUuid,
    onReport: (method, params) => {
      if (method === 'vm.changed') changes.push(serverMethods['vm.changed'].params.parse(params));
    },
  });
  const agent = spawnProgram(process.execPath, [main], {
    signal,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      MILLRACE_AGENT_DIR: join(directory, 'agent'),
      MILLRACE_SERVER_URL: server.url,
      MILLRACE_POOL_PATH: poolPath,
      MILLRACE_VIRT_TYPE: 'qemu',
      MILLRACE_JOIN_TOKEN: `mlr1.abcdefgh.${'x'.repeat(24)}.${authority.fingerprint}`,
    },
  });
  const ended = once(agent, 'exit');
  return {
    hostUuid,
    connected: await server.nextHello(),
    pool: { uuid: '0b1d7a52-6f0e-4c4e-8d38-6a3c9b1f2e77', type: 'Filesystem', path: poolPath },
    sources: { good: source('good'), slow: source('slow') },
    missing: source('missing'),
    release: () => released.resolve(),
    changes,
    reconnected: () => {
      server.cut();
      return server.nextHello();
    },
    async [Symbol.asyncDispose]() {
      agent.kill('SIGTERM');
      await ended;
      await server[Symbol.asyncDispose]();
      images.closeAllConnections();
      images.close();
      await rm(directory, { recursive: true });
    },
  };
}

agentContract('real agent', {
  skip:
    process.env['MILLRACE_TEST_MACHINE'] === undefined
      ? 'needs a libvirt of its own: run it by test/machine/run-in-machine.sh'
      : false,
  start,
});
