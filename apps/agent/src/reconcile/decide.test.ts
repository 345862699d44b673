import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VmPowerState, VmStateReport } from '@millrace/agent-protocol';
import { decide } from './decide.ts';

const vm = (uuid: string, state: VmPowerState): VmStateReport => ({ uuid, instanceName: `i-${uuid}`, state });
const acknowledged = (...vms: VmStateReport[]) => new Map(vms.map((each) => [each.uuid, each]));

test('nothing changed, nothing to say', () => {
  assert.deepEqual(decide(acknowledged(vm('a', 'Running')), [vm('a', 'Running')]), []);
});

test('changed, new and vanished VMs are reported', () => {
  const before = acknowledged(vm('a', 'Running'), vm('b', 'Stopped'), vm('c', 'Running'));
  const seen = [vm('a', 'Stopped'), vm('b', 'Stopped'), vm('d', 'Running')];
  assert.deepEqual(decide(before, seen), [vm('a', 'Stopped'), vm('d', 'Running'), vm('c', 'Missing')]);
});

test('everything is reported when asked for, and a VM known to be missing is not reported again', () => {
  const before = acknowledged(vm('a', 'Running'), vm('b', 'Missing'));
  assert.deepEqual(decide(before, [vm('a', 'Running')], true), [vm('a', 'Running')]);
});
