import assert from 'node:assert/strict';
import { test } from 'node:test';
import { afterAllocationEvent, afterDegradedEvent, allocationEventOf } from './host-resource-states.ts';

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

for (const [state, event, next] of [
  ['Enabled', 'Declare', 'Degraded'],
  ['Disabled', 'Declare', 'Degraded'],
  ['Maintenance', 'Declare', 'Degraded'],
  ['PrepareForMaintenance', 'Declare', undefined],
  ['Degraded', 'Declare', undefined],
  ['Degraded', 'Cancel', 'Enabled'],
  ['Enabled', 'Cancel', undefined],
  ['constructor', 'Declare', undefined],
] as const) {
  test(`${event} degraded in ${state} leads to ${next ?? 'a refusal'}`, () => {
    assert.equal(afterDegradedEvent(state, event), next);
  });
}

test('the words are known in any case, and no others are', () => {
  assert.equal(allocationEventOf('disable'), 'Disable');
  assert.equal(allocationEventOf('Enabled'), undefined);
});
