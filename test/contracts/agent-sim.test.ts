import { randomUUID } from 'node:crypto';
import { serverMethods, type VmStateReport } from '@millrace/agent-protocol';
import { silentLogger } from '@millrace/core';
import { makeTestAuthority } from '../../apps/agent/src/testing/authority.ts';
import { startTestServer } from '../../apps/agent/src/testing/server.ts';
import { localPoolPath } from '../../apps/agent-sim/src/host/world.ts';
import { startHosts } from '../../apps/agent-sim/src/start-hosts.ts';
import { type AgentUnderContract, agentContract } from './agent.ts';

/** The simulated host under the contract of agents. The real one: test/e2e/agent-contract.test.ts. */

async function start(): Promise<AgentUnderContract> {
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
  const stopping = new AbortController();
  const hosts = await startHosts({
    serverUrl: server.url,
    hosts: [{ name: 'sim-1', token: `mlr1.abcdefgh.${'x'.repeat(24)}.${authority.fingerprint}` }],
    speed: 20,
    log: silentLogger,
    signal: stopping.signal,
  });
  const source = (query: string) => ({
    url: `http://images.example/image.qcow2?${query}`,
    headers: {},
    format: 'qcow2' as const,
  });
  return {
    hostUuid,
    connected: await server.nextHello(),
    pool: { uuid: '0b1d7a52-6f0e-4c4e-8d38-6a3c9b1f2e77', type: 'Filesystem', path: localPoolPath },
    sources: { good: source('size=20'), slow: source('size=100&fault=slow') },
    missing: source('fault=not-found'),
    release: () => {},
    changes,
    reconnected: () => {
      server.cut();
      return server.nextHello();
    },
    async [Symbol.asyncDispose]() {
      stopping.abort(new Error('the test is over'));
      await hosts.ended;
      await server[Symbol.asyncDispose]();
    },
  };
}

agentContract('simulated host', { skip: false, start });
