import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from '@millrace/core';
import type { AgentGateway } from '../agents/gateway.ts';
import { AgentCallError } from '../domain/failure-policy.ts';
import { callHost } from './agent-call.ts';
import { prepared, transferProgress } from './testing/fake-agents.ts';

const { signal } = new AbortController();

/** A host whose transfer shows `steps` every 20 ms and then does what `end` says. */
function host(steps: readonly number[], end: 'answers' | 'hangs') {
  const cancelled = Promise.withResolvers<void>();
  const agents = {
    async call(_host: number, _method: string, _params: unknown, options: never) {
      const { signal: asked, onProgress } = options as {
        signal: AbortSignal;
        onProgress: (value: unknown) => void;
      };
      asked.addEventListener('abort', () => cancelled.resolve());
      for (const bytes of steps) {
        onProgress(transferProgress({ bytes, bytesPerSecond: Math.random() * 1000 }));
        await sleep(20, asked);
      }
      if (end === 'answers') return prepared('tiny.qcow2');
      return sleep(3_600_000, asked);
    },
    isConnected: () => true,
    connectedHosts: () => [1],
    // the rest of the gateway's generic signature is of no interest here
  } as unknown as AgentGateway;
  return { agents, cancelled: cancelled.promise };
}

const call = (agents: AgentGateway) =>
  callHost(agents, {
    hostId: 1,
    method: 'template.prepare',
    params: {} as never,
    operationId: 'job/transfer-1',
    signal,
    reconnectMs: 1000,
    silenceMs: 150,
  });

test('a transfer of a host that hangs is given up and cancelled, so that another host can be tried', async () => {
  const { agents, cancelled } = host([1], 'hangs');
  await assert.rejects(call(agents), (error: unknown) => {
    assert.ok(error instanceof AgentCallError);
    assert.equal(error.code, 'AGENT_TIMEOUT');
    assert.equal(error.failureClass, 'next-host');
    return true;
  });
  await cancelled;
});

test('a host that repeats the same progress for ever hangs too', async () => {
  const { agents } = host(
    Array.from({ length: 500 }, () => 7),
    'answers',
  );
  await assert.rejects(call(agents), { code: 'AGENT_TIMEOUT' });
});

test('a slow transfer that gets on takes as long as it takes', async () => {
  const { agents } = host(
    Array.from({ length: 30 }, (_, index) => index),
    'answers',
  );
  assert.equal((await call(agents)).installPath, 'tiny.qcow2');
});
