import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '@millrace/api';
import { silentLogger, sleep } from '@millrace/core';
import { fetchPolicyFrom } from '../domain/fetch-policy.ts';
import { settingsFrom } from '../domain/settings.ts';
import { makeFakeAgents, usableProbe } from '../http/testing/fake-ports.ts';
import { probeSource } from './probe-source.ts';

const limits = { answerWithinMs: 600, oneHostMs: 200, secondOpinionBeforeMs: 100 };

function requestWith(agents: ReturnType<typeof makeFakeAgents>, hostCount: number) {
  return {
    hosts: Array.from({ length: hostCount }, (_, i) => ({
      id: i + 1,
      name: `host${i + 1}`,
      location: ['de'],
    })),
    source: { url: 'https://images.example/x', headers: {}, format: 'qcow2' as const },
    policy: fetchPolicyFrom(settingsFrom(new Map())),
    agents,
    log: silentLogger,
    signal: new AbortController().signal,
  };
}

test('a host that hangs is given up in time for another to answer', async () => {
  const agents = makeFakeAgents();
  agents.answers['image.probe'] = async (_params, hostId, { signal }) => {
    if (hostId === 1) await sleep(60_000, signal);
    return usableProbe();
  };
  const report = await probeSource(requestWith(agents, 2), limits);
  assert.equal(report.usable, true);
});

test('when every host hangs the answer comes before the deadline and says so', async () => {
  const agents = makeFakeAgents();
  agents.answers['image.probe'] = async (_params, _hostId, { signal }) => {
    await sleep(60_000, signal);
    return usableProbe();
  };
  await assert.rejects(probeSource(requestWith(agents, 9), limits), (error) => {
    assert.ok(error instanceof ApiError);
    assert.equal(error.errorcode, 530);
    assert.match(error.message, /host host1: it did not answer in time/);
    return true;
  });
  assert.ok(agents.calls.length < 9, 'the deadline ended the tries');
});

test('a slow host that found nothing usable is believed', async () => {
  const agents = makeFakeAgents();
  agents.answers['image.probe'] = async (_params, _hostId, { signal }) => {
    await sleep(150, signal);
    return usableProbe({
      usable: false,
      sources: [{ url: 'https://a.example/x', usable: false, reason: 'HTTP_404' }],
    });
  };
  await assert.rejects(probeSource(requestWith(agents, 5), limits), /the source is not usable.*HTTP_404/);
  assert.equal(agents.calls.length, 1);
});

test('a client that is gone ends the probe', async () => {
  const agents = makeFakeAgents();
  const gone = new AbortController();
  agents.answers['image.probe'] = async (_params, _hostId, { signal }) => {
    gone.abort(new Error('the client is gone'));
    await sleep(60_000, signal);
    return usableProbe();
  };
  const request = { ...requestWith(agents, 3), signal: gone.signal };
  await assert.rejects(probeSource(request, limits), /the client is gone/);
  assert.equal(agents.calls.length, 1);
});
