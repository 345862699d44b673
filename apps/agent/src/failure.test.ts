import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureData } from '@millrace/agent-protocol';
import { MillraceError } from '@millrace/core';
import { AgentFailure, classify } from './failure.ts';

class EngineFailure extends MillraceError {
  readonly failureClass = 'stop';
  readonly attempts = [];
}

test('a failure that is classified already passes unchanged, its attempts included', () => {
  const failure = new EngineFailure('IMAGE_REFUSED', 'it has a backing file');
  assert.equal(classify(failure), failure);
  assert.deepEqual(failureData.parse(classify(failure)), {
    code: 'IMAGE_REFUSED',
    failureClass: 'stop',
    attempts: [],
  });
});

const cases: readonly [unknown, string, string][] = [
  [Object.assign(new Error('no space'), { code: 'ENOSPC' }), 'POOL_FULL', 'next-host'],
  [Object.assign(new Error('stale'), { code: 'ESTALE' }), 'POOL_UNAVAILABLE', 'next-host'],
  [new MillraceError('CANCELLED', 'cancelled by the caller'), 'CANCELLED', 'stop'],
  [new MillraceError('REQUEST_MALFORMED', 'no URL'), 'REQUEST_MALFORMED', 'stop'],
  [new MillraceError('PROGRAM_MISSING', 'virsh is not installed'), 'PROGRAM_MISSING', 'next-host'],
  [new TypeError('undefined is not a function'), 'AGENT_FAULT', 'next-host'],
  ['a thrown text', 'AGENT_FAULT', 'next-host'],
];
for (const [error, code, failureClass] of cases) {
  test(`${String(error)} is classified as ${code}, ${failureClass}`, () => {
    const failure = classify(error);
    assert.ok(failure instanceof AgentFailure);
    assert.deepEqual(failureData.parse(failure), { code, failureClass });
  });
}
