import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstExceeded } from './resource-types.ts';

test('what is asked for may reach a limit and not go beyond it', () => {
  assert.equal(firstExceeded({ user_vm: 3 }, { user_vm: 2 }, { user_vm: 1 }), undefined);
  assert.deepEqual(firstExceeded({ user_vm: 3, cpu: 4 }, { user_vm: 2, cpu: 3 }, { user_vm: 1, cpu: 2 }), {
    type: 'cpu',
    limit: 4,
    used: 3,
    asked: 2,
  });
});

test('-1 and no limit at all let everything through, 0 nothing', () => {
  assert.equal(firstExceeded({ memory: -1 }, { memory: 9e9 }, { memory: 1 }), undefined);
  assert.equal(firstExceeded({}, {}, { volume: 1 }), undefined);
  assert.equal(firstExceeded({ volume: 0 }, {}, { volume: 1 })?.type, 'volume');
});

test('who has more than a lowered limit may have less, or other things', () => {
  assert.equal(firstExceeded({ volume: 1 }, { volume: 5 }, { user_vm: 1, volume: 0 }), undefined);
  assert.equal(firstExceeded({ volume: 1 }, { volume: 5 }, { volume: -1 }), undefined);
});
