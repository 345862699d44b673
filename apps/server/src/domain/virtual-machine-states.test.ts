import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  canRequest,
  nextState,
  requestableStates,
  type VmCommand,
  type VmState,
  vmStateOf,
  vmStates,
  vmTransitions,
} from './virtual-machine-states.ts';

test('every state can be reached from a new instance, and every one but Expunged can be left', () => {
  const reached = new Set<VmState>(['Starting', 'Stopped']);
  for (let size = 0; size !== reached.size; ) {
    size = reached.size;
    for (const state of reached) for (const next of Object.values(vmTransitions[state])) reached.add(next);
  }
  assert.deepEqual([...reached].sort(), [...vmStates].sort());
  const final = vmStates.filter((state) => Object.keys(vmTransitions[state]).length === 0);
  assert.deepEqual(final, ['Expunged']);
});

test('from every state but Expunged an instance can be removed for good', () => {
  for (const state of vmStates) {
    if (state === 'Expunged') continue;
    assert.equal(nextState(state, 'expunge'), 'Expunging', state);
  }
});

test('late reports of hosts do not bring back what is destroyed, expunging, expunged or broken', () => {
  for (const state of ['Destroyed', 'Expunging', 'Expunged', 'Error'] as const) {
    assert.equal(nextState(state, 'started'), undefined, state);
    assert.equal(nextState(state, 'stopped'), undefined, state);
  }
});

/** What is put into a drive or plugged in, and what is kept for the next start, change no state. */
type Unmoved =
  | 'attachIso'
  | 'detachIso'
  | 'attachVolume'
  | 'detachVolume'
  | 'resizeVolume'
  | 'changeServiceForVirtualMachine'
  | 'resetPasswordForVirtualMachine'
  | 'resetSSHKeyForVirtualMachine';

const beginnings: Readonly<Record<Exclude<VmCommand, Unmoved>, Parameters<typeof nextState>[1]>> = {
  startVirtualMachine: 'start',
  stopVirtualMachine: 'stop',
  rebootVirtualMachine: 'started',
  destroyVirtualMachine: 'destroy',
  expungeVirtualMachine: 'expunge',
  recoverVirtualMachine: 'recover',
  restoreVirtualMachine: 'destroy',
  migrateVirtualMachine: 'migrate',
};

for (const [command, event] of Object.entries(beginnings)) {
  test(`wherever ${command} may be asked for, its first step is a transition`, () => {
    for (const state of requestableStates[command as VmCommand]) {
      assert.notEqual(nextState(state, event), undefined, state);
    }
  });
}

test('commands are refused where they make no sense', () => {
  assert.equal(canRequest('startVirtualMachine', 'Running'), false);
  assert.equal(canRequest('stopVirtualMachine', 'Stopped'), false);
  assert.equal(canRequest('recoverVirtualMachine', 'Stopped'), false);
  assert.equal(canRequest('expungeVirtualMachine', 'Running'), false);
  assert.equal(canRequest('destroyVirtualMachine', 'Expunging'), false);
});

test('a word that is no state is a bug, not a state', () => {
  assert.equal(vmStateOf('Running'), 'Running');
  assert.throws(() => vmStateOf('running'), /unknown state/);
});
