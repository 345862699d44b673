import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import type { VmPowerState, VmStateReport } from '@millrace/agent-protocol';
import { silentLogger } from '@millrace/core';
import { makeWatch } from './watch.ts';

const vm = (state: VmPowerState): VmStateReport => ({
  uuid: '3c8d5b0e-0f86-4d1b-8f6b-8d9a1c2e3f40',
  instanceName: 'i-2-3-VM',
  state,
});
const stoppedEvent = { domain: 'i-2-3-VM', kind: 'lifecycle', detail: 'Stopped Shutdown' };

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A watch that runs on a host whose list the test sets; `reports` resolves one by one. */
function start(options: { everyMs?: number; fail?: (times: number) => boolean } = {}) {
  let list = [vm('Running')];
  let times = 0;
  const reports: VmStateReport[] = [];
  const wakers = new Set<() => void>();
  const watch = makeWatch({
    list: async () => list,
    log: silentLogger,
    ...(options.everyMs === undefined ? {} : { everyMs: options.everyMs }),
  });
  const controller = new AbortController();
  const running = watch.run(controller.signal);
  stops.push(async () => {
    controller.abort();
    await running;
  });
  const report = async (changed: VmStateReport) => {
    times++;
    if (options.fail?.(times)) throw new Error('the server did not answer');
    reports.push(changed);
    for (const wake of wakers) wake();
  };
  return {
    watch,
    report,
    reports,
    become: (next: VmStateReport[]) => {
      list = next;
    },
    async until(count: number) {
      while (reports.length < count) await new Promise<void>((resolve) => wakers.add(resolve));
      return reports;
    },
  };
}

test('a lifecycle event makes the new state known', async () => {
  const host = start();
  host.watch.connected([vm('Running')], host.report);
  host.become([vm('Stopped')]);
  host.watch.onEvent(stoppedEvent);
  assert.deepEqual(await host.until(1), [vm('Stopped')]);
  host.become([]);
  host.watch.onEvent({ ...stoppedEvent, detail: 'Undefined Removed' });
  assert.deepEqual(await host.until(2), [vm('Stopped'), vm('Missing')]);
});

test('what no event told is found by the slow look', async () => {
  const host = start({ everyMs: 20 });
  host.watch.connected([vm('Running')], host.report);
  host.become([vm('Stopped')]);
  assert.deepEqual(await host.until(1), [vm('Stopped')]);
});

test('a report that failed is made again', async () => {
  const host = start({ fail: (times) => times === 1 });
  host.watch.connected([vm('Stopped')], host.report);
  assert.deepEqual(await host.until(1), [vm('Running')]);
});

test('a new event stream reports everything, changed or not', async () => {
  const host = start();
  host.watch.connected([vm('Running')], host.report);
  host.watch.look(true);
  assert.deepEqual(await host.until(1), [vm('Running')]);
});

test('from time to time everything is told again: a server may have failed to act on it', async () => {
  const host = start({ everyMs: 5 });
  host.watch.connected([vm('Running')], host.report);
  assert.deepEqual(await host.until(2), [vm('Running'), vm('Running')]);
});

test('nothing is reported while nobody is connected', async () => {
  const host = start({ everyMs: 5 });
  const leave = host.watch.connected([vm('Running')], host.report);
  leave();
  host.become([vm('Stopped')]);
  host.watch.onEvent(stoppedEvent);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.deepEqual(host.reports, []);
  host.watch.connected([vm('Running')], host.report);
  assert.deepEqual(await host.until(1), [vm('Stopped')]);
});

test('of several servers one is told, and the next one when that fails', async () => {
  const host = start();
  let asked = 0;
  const leave = host.watch.connected([vm('Running')], async () => {
    asked++;
    throw new Error('this server is dying');
  });
  host.watch.connected([vm('Running')], host.report);
  host.become([vm('Stopped')]);
  host.watch.onEvent(stoppedEvent);
  assert.deepEqual(await host.until(1), [vm('Stopped')]);
  assert.equal(asked, 1);
  leave();
  host.become([vm('Running')]);
  host.watch.onEvent(stoppedEvent);
  assert.deepEqual(await host.until(2), [vm('Stopped'), vm('Running')]);
  assert.equal(asked, 1, 'nobody asks who has left');
});

test('subscribers get every event of their domain, also several at once, until they leave', () => {
  const { watch } = start();
  const seen: string[] = [];
  const leave = watch.subscribe('i-2-3-VM', ({ detail }) => seen.push(detail));
  watch.onEvent({ ...stoppedEvent, detail: 'one' });
  watch.onEvent({ ...stoppedEvent, detail: 'two' });
  watch.onEvent({ ...stoppedEvent, domain: 'another', detail: 'not ours' });
  leave();
  watch.onEvent({ ...stoppedEvent, detail: 'three' });
  assert.deepEqual(seen, ['one', 'two']);
});

test('a report that the server never takes does not keep the others back', async () => {
  const other: VmStateReport = {
    uuid: 'bcc04bb0-d3dc-490a-9d35-aa8e921b2a65',
    instanceName: 'i-2-4-VM',
    state: 'Running',
  };
  const host = start();
  host.become([vm('Stopped'), { ...other, state: 'Stopped' }]);
  host.watch.connected([vm('Running'), other], async (report) => {
    if (report.uuid !== other.uuid) throw new Error('refused for ever');
    await host.report(report);
  });
  assert.deepEqual(await host.until(1), [{ ...other, state: 'Stopped' }]);
});
