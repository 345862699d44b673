import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { usableProbe } from '../http/testing/fake-ports.ts';
import { snapshotOf } from '../http/testing/snapshot.ts';
import { addHost, withTestApi } from '../http/testing/test-api.ts';

const url = 'https://user:secret@images.example/tiny.meta4?token=secret';
const digest = `{SHA-256}${'0'.repeat(64)}`;

test('a probe tells what a host found, asks for no format, and leaves nothing', async (t) => {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  api.agents.answers['image.probe'] = () =>
    usableProbe({
      metalink: true,
      checksum: digest,
      compression: 'gzip',
      sources: [
        {
          url: 'https://user:secret@a.example/x',
          usable: true,
          priority: 1,
          location: 'de',
          sizeBytes: 1000,
        },
        { url: 'https://b.example/x', usable: false, reason: 'HTTP_NOT_FOUND', message: 'answered 404' },
      ],
      warnings: ['b.example: answered 404'],
    });
  const before = await snapshotOf(api.database);
  const answer = await api.call('probeTemplate', { url });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.content['templateprobe'], {
    format: 'QCOW2',
    compression: 'gzip',
    ismetalink: true,
    virtualsize: 3 * 1024 ** 3,
    transfersize: 1000,
    checksum: digest,
    checksumtrust: 'from the metalink',
    warnings: ['b.example: answered 404'],
    source: [
      { url: 'https://***@a.example/x', usable: true, priority: 1, location: 'de', size: 1000 },
      { url: 'https://b.example/x', usable: false, reason: 'HTTP_NOT_FOUND', message: 'answered 404' },
    ],
  });
  assert.equal(answer.text.includes('secret'), false);
  const [call] = api.agents.calls;
  assert.equal('format' in (call!.params as { source: object }).source, false);
  assert.deepEqual(await snapshotOf(api.database), before);
});

test('a probe finds the checksum in a list and says how it is trusted', async (t) => {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  api.agents.answers['checksum.find'] = () => ({ checksum: digest, trust: 'by https only', warnings: [] });
  api.agents.answers['image.probe'] = () => usableProbe({ checksum: digest });
  const answer = await api.call('probeTemplate', { url, checksum: 'https://images.example/SHA256SUMS' });
  const probe = answer.content['templateprobe'] as Record<string, unknown>;
  assert.deepEqual([probe['checksum'], probe['checksumtrust']], [digest, 'by https only']);
});

test('what cannot be probed is refused by name', async (t) => {
  const api = await withTestApi(t);
  await addHost(api.database, 'host1');
  for (const [params, rule] of [
    [{ url: 'ftp://a.example/x' }, /url: must start with/],
    [{ url, format: 'EXE' }, /format: must be one of/],
    [{ url, checksum: 'xyz' }, /checksum: /],
    [{ url, zoneid: randomUUID() }, /zoneid/],
    [{ url: 's3://bucket/key' }, /details: an s3:/],
  ] as const) {
    const answer = await api.call('probeTemplate', params);
    assert.equal(answer.status, 431, answer.text);
    assert.match(answer.text, rule);
  }
  assert.equal(api.agents.calls.length, 0);
});
