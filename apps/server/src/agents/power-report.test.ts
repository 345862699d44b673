import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VmPowerState } from '@millrace/agent-protocol';
import { nextState, type VmState, vmStates } from '../domain/virtual-machine-states.ts';
import { type BelievedVm, judgePowerReport } from './power-report.ts';

const here = 1;
const elsewhere = 2;

function judge(state: VmState, reported: VmPowerState, changes: Partial<BelievedVm> = {}): string {
  const vm = { state, hostId: here, lastHostId: here, hasPendingJob: false, ...changes };
  const verdict = judgePowerReport(vm, here, reported);
  return verdict.kind === 'transition' ? verdict.event : verdict.kind;
}

const table: { state: VmState; reported: VmPowerState; vm?: Partial<BelievedVm>; verdict: string }[] = [
  { state: 'Running', reported: 'Running', verdict: 'nothing' },
  { state: 'Running', reported: 'Stopped', verdict: 'stopped' },
  { state: 'Running', reported: 'Missing', verdict: 'stopped' },
  { state: 'Unknown', reported: 'Running', verdict: 'started' },
  { state: 'Unknown', reported: 'Missing', verdict: 'stopped' },
  { state: 'Stopping', reported: 'Running', verdict: 'started' },
  { state: 'Starting', reported: 'Missing', verdict: 'stopped' },
  { state: 'Stopped', reported: 'Stopped', vm: { hostId: null }, verdict: 'nothing' },
  { state: 'Stopped', reported: 'Running', vm: { hostId: null }, verdict: 'started' },
  { state: 'Stopped', reported: 'Running', vm: { hostId: null, lastHostId: elsewhere }, verdict: 'stray' },
  { state: 'Running', reported: 'Running', vm: { hostId: elsewhere }, verdict: 'stray' },
  { state: 'Running', reported: 'Missing', vm: { hostId: elsewhere }, verdict: 'nothing' },
  {
    state: 'Running',
    reported: 'Stopped',
    vm: { hostId: elsewhere, lastHostId: elsewhere },
    verdict: 'stray',
  },
  { state: 'Stopped', reported: 'Stopped', vm: { hostId: null, lastHostId: null }, verdict: 'stray' },
  { state: 'Running', reported: 'Stopped', vm: { hostId: elsewhere }, verdict: 'nothing' },
  { state: 'Error', reported: 'Running', vm: { hostId: null }, verdict: 'stray' },
  { state: 'Destroyed', reported: 'Running', vm: { hostId: null }, verdict: 'stray' },
  { state: 'Expunged', reported: 'Running', vm: { hostId: null }, verdict: 'stray' },
  { state: 'Expunged', reported: 'Stopped', vm: { hostId: null }, verdict: 'stray' },
  { state: 'Destroyed', reported: 'Stopped', vm: { hostId: null }, verdict: 'nothing' },
];

for (const { state, reported, vm, verdict } of table) {
  const where = vm?.hostId === elsewhere ? ' on another host' : '';
  test(`${state}${where}, reported ${reported}: ${verdict}`, () => {
    assert.equal(judge(state, reported, vm), verdict);
  });
}

test('while a job is pending no report decides anything', () => {
  for (const state of vmStates)
    for (const reported of ['Running', 'Stopped', 'Missing'] as const)
      assert.equal(judge(state, reported, { hasPendingJob: true }), 'look-again');
});

test('every transition that is decided is one that the state knows', () => {
  for (const state of vmStates)
    for (const reported of ['Running', 'Stopped', 'Missing'] as const) {
      const vm = { state, hostId: here, lastHostId: here, hasPendingJob: false };
      const verdict = judgePowerReport(vm, here, reported);
      if (verdict.kind === 'transition') assert.ok(nextState(state, verdict.event), `${state} ${reported}`);
    }
});
