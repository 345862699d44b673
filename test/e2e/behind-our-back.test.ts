import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { microGuestLines } from '../fixtures/micro-guest.ts';
import type { LabHost } from '../lab/lab-host.ts';
import { until } from './lab-cloud.ts';
import { type SharedCloud, startSharedCloud } from './shared-cloud.ts';

/** What somebody does to an instance on its host, without asking Millrace, is seen within five seconds. Tests in order. */

const withinMs = 5000;
let cloud: SharedCloud;
let host: LabHost;
let id: string;
let name: string;

before(async () => {
  cloud = await startSharedCloud([11]);
  host = cloud.hosts[0]!;
  const vm = await cloud.newInstance({ name: 'watched', host, ha: false });
  id = String(vm['id']);
  name = String(vm['instancename']);
  await cloud.untilGuestSays(id, microGuestLines.up(1, 'lab'));
});
after(() => cloud?.[Symbol.asyncDispose]());

const virsh = (...argv: string[]) => host.run('virsh', ['-c', 'qemu:///system', ...argv]);

const deeds: { what: string; deed: () => Promise<unknown>; state: 'Running' | 'Stopped' }[] = [
  { what: 'virsh destroy', deed: () => virsh('destroy', name), state: 'Stopped' },
  { what: 'virsh start', deed: () => virsh('start', name), state: 'Running' },
  { what: 'a crash of QEMU', deed: () => host.run('pkill', ['-9', '-f', `guest=${name}`]), state: 'Stopped' },
  { what: 'virsh start after the crash', deed: () => virsh('start', name), state: 'Running' },
  {
    what: 'a guest that powers itself off',
    deed: async () => {
      await cloud.untilGuestSays(id, microGuestLines.up(3, 'lab'));
      await virsh('shutdown', name);
      await cloud.untilGuestSays(id, microGuestLines.powerButton);
    },
    state: 'Stopped',
  },
];

for (const { what, deed, state } of deeds) {
  test(`${what}: ${state} within 5 s`, async () => {
    if (what === 'a crash of QEMU') await cloud.untilGuestSays(id, microGuestLines.up(2, 'lab'));
    await deed();
    const begun = performance.now();
    await until(`the instance is ${state}`, 30_000, async () =>
      (await cloud.instance1(id))['state'] === state ? true : undefined,
    );
    const took = performance.now() - begun;
    assert.ok(took < withinMs, `${Math.round(took)} ms`);
  });
}

test('an instance that was undefined on its host is Stopped, and starts again', async () => {
  assert.equal((await cloud.instance.api.run('startVirtualMachine', { id })).jobstatus, 1);
  await virsh('undefine', name);
  await virsh('destroy', name);
  await until('the instance is Stopped', withinMs, async () =>
    (await cloud.instance1(id))['state'] === 'Stopped' ? true : undefined,
  );
  assert.equal((await cloud.instance.api.run('startVirtualMachine', { id })).jobstatus, 1);
  assert.deepEqual(await cloud.runningOn(name), [host.name]);
});
