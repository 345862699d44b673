import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sleep } from '@millrace/core';
import { microGuestLines } from '../fixtures/micro-guest.ts';
import type { LabHost } from '../lab/lab-host.ts';
import { until } from './lab-cloud.ts';
import { type SharedCloud, startSharedCloud } from './shared-cloud.ts';

/**
 * What becomes of highly available instances when their host is lost, on real hosts with one pool: they run again, and
 * never twice. Libvirt of every host says so, asked all the time. Tests in order.
 */

const { signal } = new AbortController();
let cloud: SharedCloud;

before(async () => {
  cloud = await startSharedCloud([11, 12]);
  await cloud.instance.api.call('updateConfiguration', { name: 'ha.lease.seconds', value: '5' });
});
after(() => cloud?.[Symbol.asyncDispose]());

const other = (host: LabHost) => cloud.hosts.find(({ name }) => name !== host.name)!;

/** Asks every host again and again where the instance runs, until told to end. @returns what it saw, in order */
function watchCopies(instanceName: string): { end(): Promise<string[][]> } {
  const stop = new AbortController();
  const seen: string[][] = [];
  const watching = (async () => {
    while (!stop.signal.aborted) {
      const now = await cloud.runningOn(instanceName).catch(() => undefined);
      if (now && now.join() !== seen.at(-1)?.join()) seen.push(now);
      await sleep(100, signal);
    }
  })();
  return {
    async end() {
      stop.abort();
      await watching;
      return seen;
    },
  };
}

async function untilRunningOn(id: string, host: LabHost, timeoutMs = 90_000): Promise<void> {
  await until(`the instance runs on ${host.name}`, timeoutMs, async () => {
    const row = await cloud.instance1(id);
    return row['state'] === 'Running' && row['hostname'] === host.name ? true : undefined;
  });
}

test('a host loses its power: its highly available instance runs elsewhere, the other one stays', async () => {
  const [first] = cloud.hosts;
  const ha = await cloud.newInstance({ name: 'ha', host: first!, ha: true });
  const plain = await cloud.newInstance({ name: 'plain', host: first!, ha: false });
  const second = other(first!);
  const lostAt = performance.now();
  await cloud.lose(first!);
  await untilRunningOn(String(ha['id']), second);
  console.log(`restarted elsewhere after ${Math.round(performance.now() - lostAt)} ms`);
  await cloud.untilGuestSays(String(ha['id']), microGuestLines.up(2, 'lab'));
  assert.deepEqual(await cloud.runningOn(String(ha['instancename'])), [second.name]);
  await until('the other one is Unknown', 60_000, async () =>
    (await cloud.instance1(String(plain['id'])))['state'] === 'Unknown' ? true : undefined,
  );
  assert.equal((await cloud.hostNamed(first!.name))!['state'], 'Down');
  const alerts = await cloud.instance.api.list('listEvents', { type: 'ALERT.COMPUTE.HOST' });
  assert.match(JSON.stringify(alerts), /is lost; started elsewhere: ha"/);
  await cloud.addSharedHost(13);
});

test('a host that is cut off but reaches the pool keeps its instance; by an operator’s word it ends it and another starts it', async () => {
  const victim = cloud.hosts.find(({ name }) => name === 'kvm-13')!;
  const vm = await cloud.newInstance({ name: 'cut', host: victim, ha: true });
  const id = String(vm['id']);
  const copies = watchCopies(String(vm['instancename']));
  await victim.cut();
  await until('the server says why it waits', 60_000, async () => {
    const alerts = await cloud.instance.api.list('listEvents', { type: 'ALERT.COMPUTE.HOST' });
    return JSON.stringify(alerts).includes('kvm-13 cannot be reached, but renews its lease')
      ? true
      : undefined;
  });
  assert.deepEqual(await cloud.runningOn(String(vm['instancename'])), [victim.name]);
  const hostid = await cloud.idOf(victim);
  const declared = await cloud.instance.api.run('declareHostAsDegraded', { id: hostid });
  assert.equal(declared.jobstatus, 1, JSON.stringify(declared));
  await untilRunningOn(id, other(victim));
  const seen = await copies.end();
  for (const where of seen) assert.ok(where.length <= 1, `two copies: ${JSON.stringify(seen)}`);
  assert.deepEqual(seen.at(0), [victim.name]);
  assert.deepEqual(seen.at(-1), [other(victim).name]);
  await victim.mend();
  await cloud.untilHostIs(victim.name, 'Up');
  await until('its definition is gone from the host that is back', 20_000, async () =>
    (await cloud.definedOn(String(vm['instancename']))).join() === other(victim).name ? true : undefined,
  );
  assert.equal((await cloud.hostNamed(victim.name))!['resourcestate'], 'Degraded');
  await cloud.instance.api.run('cancelHostAsDegraded', { id: hostid });
});

test('a host that loses the network and the pool ends its instance before another host starts it', async () => {
  const victim = cloud.hosts.find(({ name }) => name === 'kvm-13')!;
  const vm = await cloud.newInstance({ name: 'isolated', host: victim, ha: true });
  const copies = watchCopies(String(vm['instancename']));
  await victim.run('mount', ['-o', 'remount,bind,ro', cloud.shared]);
  await sleep(8000, signal);
  assert.deepEqual(await cloud.runningOn(String(vm['instancename'])), [victim.name], 'a server hears of it');
  await victim.cut();
  await untilRunningOn(String(vm['id']), other(victim));
  const seen = await copies.end();
  assert.deepEqual(seen, [[victim.name], [], [other(victim).name]]);
  await victim.run('mount', ['-o', 'remount,bind,rw', cloud.shared]);
  await victim.mend();
  await cloud.untilHostIs(victim.name, 'Up');
  assert.deepEqual(await cloud.runningOn(String(vm['instancename'])), [other(victim).name]);
});

test('a highly available instance whose QEMU dies is started again', async () => {
  const [host] = cloud.hosts;
  const vm = await cloud.newInstance({ name: 'crash', host: host!, ha: true });
  await cloud.untilGuestSays(String(vm['id']), microGuestLines.up(1, 'lab'));
  await host!.run('pkill', ['-9', '-f', String(vm['instancename'])]);
  await cloud.untilGuestSays(String(vm['id']), microGuestLines.up(2, 'lab'));
});
