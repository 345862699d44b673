import assert from 'node:assert/strict';
import { test } from 'node:test';
import { afterAllocationEvent, allocationEventOf } from './host-resource-states.ts';

const rows = [
  ['Enabled', 'Enable', 'Enabled'],
  ['Enabled', 'Disable', 'Disabled'],
  ['Disabled', 'Enable', 'Enabled'],
  ['Disabled', 'Disable', 'Disabled'],
  ['Maintenance', 'Enable', undefined],
  ['Maintenance', 'Disable', undefined],
  ['PrepareForMaintenance', 'Enable', undefined],
  ['ErrorInMaintenance', 'Enable', undefined],
  ['constructor', 'Enable', undefined],
] as const;

for (const [state, event, next] of rows) {
  test(`${event} in ${state} leads to ${next ?? 'a refusal'}`, () => {
    assert.equal(afterAllocationEvent(state, event), next);
  });
}

test('the words are known in any case, and no others are', () => {
  assert.equal(allocationEventOf('disable'), 'Disable');
  assert.equal(allocationEventOf('Enabled'), undefined);
});
