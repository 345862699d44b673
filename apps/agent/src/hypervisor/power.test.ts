import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@millrace/core';
import type { DomainEvent } from './events.ts';
import { rebootByGuest, shutDown } from './power.ts';
import type { Virsh } from './virsh.ts';

const vm = { uuid: '3c8d5b0e-0f86-4d1b-8f6b-8d9a1c2e3f40', instanceName: 'i-2-3-VM' };
const { signal } = new AbortController();

/** A guest that reacts to its power button from the given press on. */
function makeGuest(reactsAtPress: number, react: (how: string) => DomainEvent | undefined) {
  const listeners = new Set<(event: DomainEvent) => void>();
  const presses: string[] = [];
  let state = 'running';
  const virsh: Virsh = async ([command]) => {
    if (command === 'domstate') return `${state}\n`;
    presses.push(command!);
    if (presses.length >= reactsAtPress) {
      const event = react(command!);
      if (command === 'shutdown') state = 'shut off';
      if (event) queueMicrotask(() => listeners.forEach((listener) => void listener(event)));
    }
    return '';
  };
  const subscribe = (domain: string, listener: (event: DomainEvent) => void) => {
    assert.equal(domain, vm.instanceName);
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return { presses, listeners, deps: { virsh, subscribe, log: silentLogger } };
}

const stopped = { domain: vm.instanceName, kind: 'lifecycle', detail: 'Stopped Shutdown' };
const rebooted = { domain: vm.instanceName, kind: 'reboot', detail: '' };

test('a guest that listens is off after one press, as soon as its event comes', async () => {
  const { deps, presses, listeners } = makeGuest(1, () => stopped);
  const begun = performance.now();
  assert.equal(await shutDown(deps, vm, { timeoutMs: 60_000, signal }), true);
  assert.deepEqual(presses, ['shutdown']);
  assert.ok(performance.now() - begun < 2500, 'it waited for the event, not for the next press');
  assert.equal(listeners.size, 0);
});

test('a press that the guest did not hear is repeated; a missed event does not matter', async () => {
  const { deps, presses } = makeGuest(2, () => undefined);
  assert.equal(await shutDown(deps, vm, { timeoutMs: 60_000, pressEveryMs: 20, signal }), true);
  assert.deepEqual(presses, ['shutdown', 'shutdown']);
});

test('a deaf guest is still on when the time is over', async () => {
  const { deps } = makeGuest(1000, () => undefined);
  assert.equal(await shutDown(deps, vm, { timeoutMs: 50, signal }), false);
  assert.equal(await rebootByGuest(deps, vm, { timeoutMs: 50, signal }), false);
});

test('a reboot is over when the guest has rebooted or switched itself off', async () => {
  for (const event of [rebooted, stopped]) {
    const { deps, presses, listeners } = makeGuest(1, () => event);
    assert.equal(await rebootByGuest(deps, vm, { timeoutMs: 60_000, signal }), true);
    assert.deepEqual(presses, ['reboot']);
    assert.equal(listeners.size, 0);
  }
});

test('cancelling ends the waiting', async () => {
  const { deps, listeners } = makeGuest(1000, () => undefined);
  const controller = new AbortController();
  const stopping = shutDown(deps, vm, { timeoutMs: 60_000, signal: controller.signal });
  setTimeout(() => controller.abort(new Error('given up')), 20);
  await assert.rejects(stopping, /given up/);
  assert.equal(listeners.size, 0);
});
