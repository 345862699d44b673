import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SourceAttempt } from '@millrace/agent-protocol';
import { MillraceError } from '@millrace/core';
import {
  AgentCallError,
  decideAfterFailure,
  type Failure,
  failureOf,
  wrongDigests,
} from './failure-policy.ts';

const wrongHash = 'ab'.repeat(32);
const otherHash = 'cd'.repeat(32);

function attempt(changes: Partial<SourceAttempt>): SourceAttempt {
  return {
    url: 'https://images.example.org/tiny.qcow2',
    sourceRank: 1,
    checksumAttempt: 1,
    tryNumber: 1,
    state: 'failed',
    bytes: 100,
    bytesPerSecond: 1,
    durationMs: 1,
    ...changes,
  };
}

function digestFailure(received: string): Failure {
  return {
    code: 'DIGEST_MISMATCH',
    message: 'three digests were wrong',
    failureClass: 'next-host',
    attempts: [
      attempt({
        reason: 'DIGEST_MISMATCH',
        message: 'the bytes do not have the expected digest',
        checksum: `{SHA-256}${received}`,
      }),
    ],
  };
}

const table: { name: string; failure: Failure; next: 'next-host' | 'stop' }[] = [
  {
    name: 'no space on the pool',
    failure: { code: 'POOL_FULL', message: '', failureClass: 'next-host' },
    next: 'next-host',
  },
  {
    name: 'a refused image',
    failure: { code: 'IMAGE_HAS_BACKING_FILE', message: '', failureClass: 'stop' },
    next: 'stop',
  },
  { name: 'a host that is away', failure: { code: 'AGENT_UNAVAILABLE', message: '' }, next: 'next-host' },
  { name: 'a host that hangs', failure: { code: 'AGENT_TIMEOUT', message: '' }, next: 'next-host' },
  { name: 'a pool the host lost', failure: { code: 'POOL_UNREACHABLE', message: '' }, next: 'next-host' },
  { name: 'an agent that talks nonsense', failure: { code: 'REMOTE_ERROR', message: '' }, next: 'next-host' },
  { name: 'a bug of the server', failure: { code: 'UNEXPECTED', message: '' }, next: 'stop' },
  { name: 'a template deleted meanwhile', failure: { code: 'TEMPLATE_DELETED', message: '' }, next: 'stop' },
  {
    name: 'a source that changed',
    failure: { code: 'TEMPLATE_SOURCE_CHANGED', message: '' },
    next: 'stop',
  },
  {
    name: 'a copy that is being removed',
    failure: { code: 'COPY_BEING_REMOVED', message: '' },
    next: 'next-host',
  },
  { name: 'a code nobody knows', failure: { code: 'SOMETHING_NEW', message: '' }, next: 'stop' },
  { name: 'wrong bytes, seen by one host', failure: digestFailure(wrongHash), next: 'next-host' },
];

for (const { name, failure, next } of table) {
  test(`${name}: ${next}`, () => {
    assert.equal(decideAfterFailure(failure, []).next, next);
  });
}

test('identical wrong bytes seen by two hosts stop the job and blame the checksum', () => {
  const decision = decideAfterFailure(digestFailure(wrongHash), [digestFailure(wrongHash)]);
  assert.equal(decision.next, 'stop');
  assert.match(decision.explanation ?? '', /checksum/);
});

test('different wrong bytes at two hosts blame the way, not the checksum', () => {
  assert.equal(decideAfterFailure(digestFailure(otherHash), [digestFailure(wrongHash)]).next, 'next-host');
});

test('the digest of the bytes received counts, each once, and nothing that a message says', () => {
  assert.deepEqual(wrongDigests(digestFailure(wrongHash)), [`{SHA-256}${wrongHash}`]);
  assert.deepEqual(
    wrongDigests({
      code: 'X',
      message: '',
      attempts: [attempt({ reason: 'DIGEST_MISMATCH', message: `SHA-256 is ${wrongHash}` })],
    }),
    [],
  );
});

test('anything thrown becomes a failure that can be kept', () => {
  const agent = failureOf(
    new AgentCallError('POOL_FULL', 'full', { failureClass: 'next-host', attempts: [] }),
  );
  assert.deepEqual(JSON.parse(JSON.stringify(agent)), {
    code: 'POOL_FULL',
    message: 'full',
    failureClass: 'next-host',
    attempts: [],
  });
  assert.equal(failureOf(new MillraceError('TEMPLATE_DELETED', 'gone')).code, 'TEMPLATE_DELETED');
  assert.equal(failureOf(new TypeError('x is undefined')).code, 'UNEXPECTED');
  assert.equal(failureOf('text').message, 'text');
});
