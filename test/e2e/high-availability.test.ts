import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runProgram, sleep } from '@millrace/core';
import { microGuestLines } from '../fixtures/micro-guest.ts';
import { type CephCluster, startCeph } from '../lab/ceph.ts';
import { type LabHost, labAddress } from '../lab/lab-host.ts';
import { answerInParts } from './answer-in-parts.ts';
import { until } from './lab-cloud.ts';
import { type SharedCloud, startSharedCloud } from './shared-cloud.ts';

/**
 * What becomes of highly available instances when their host is lost, on real hosts with one pool, and then with a real
 * Ceph cluster instead: they run again, and never twice. Libvirt of every host says so, asked all the time. Tests in order.
 */

const { signal } = new AbortController();
let cloud: SharedCloud;
let ceph: CephCluster | undefined;

before(async () => {
  cloud = await startSharedCloud([11, 12]);
  await cloud.instance.api.call('updateConfiguration', { name: 'ha.lease.seconds', value: '5' });
});
after(async () => {
  for (const host of [...(cloud?.hosts ?? [])]) await cloud.lose(host);
  await ceph?.[Symbol.asyncDispose]();
  await cloud?.[Symbol.asyncDispose]();
});

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

const virsh = async (host: LabHost, ...argv: string[]) =>
  (await host.run('virsh', ['-c', 'qemu:///system', ...argv])).stdout;

/** From now on instances are on a Ceph pool. */
async function moveToCeph(): Promise<CephCluster> {
  const cluster = await startCeph(labAddress);
  ceph = cluster;
  const { api } = cloud.instance;
  const secret = cluster.secret.replaceAll('+', '-').replaceAll('/', '_');
  const url = `rbd://${cluster.user}:${secret}@${cluster.monitor}/${cluster.pool}`;
  await api.call('createStoragePool', { name: 'ceph', url, zoneid: cloud.zoneid, scope: 'zone' });
  const [shared] = await api.list('listStoragePools', { name: 'shared' });
  await api.call('updateStoragePool', { id: String(shared!['id']), enabled: 'false' });
  cloud.misbehave = answerInParts(cloud.image);
  return cluster;
}

test('on a Ceph pool, too, a host that nobody reaches ends its instance by an operator’s word, and another starts it', async () => {
  const cluster = await moveToCeph();
  const victim = cloud.hosts.at(-1)!;
  const vm = await cloud.newInstance({ name: 'ceph', host: victim, ha: true });
  const [id, name] = [String(vm['id']), String(vm['instancename'])];
  await cloud.untilGuestSays(id, microGuestLines.up(1, 'lab'));
  assert.match(await cluster.rados('ls'), /^\.millrace-lease-/m);
  const copies = watchCopies(name);
  // from the servers, not from Ceph
  const drop = ['OUTPUT', '-p', 'tcp', '--dport', '8250', '-j', 'DROP'];
  await victim.run('iptables', ['-I', ...drop]);
  await cloud.untilHostIs(victim.name, 'Alert');
  assert.deepEqual(await cloud.runningOn(name), [victim.name]);
  const hostid = await cloud.idOf(victim);
  const declared = await cloud.instance.api.run('declareHostAsDegraded', { id: hostid });
  assert.equal(declared.jobstatus, 1, JSON.stringify(declared));
  await untilRunningOn(id, other(victim));
  await cloud.untilGuestSays(id, microGuestLines.up(2, 'lab'));
  assert.deepEqual(await copies.end(), [[victim.name], [], [other(victim).name]]);
  await victim.run('iptables', ['-D', ...drop]);
  await cloud.untilHostIs(victim.name, 'Up');
  await cloud.instance.api.run('cancelHostAsDegraded', { id: hostid });
});

test('a machine that was frozen, and wakes when another host runs its instance, writes nothing to the disk any more', async (t) => {
  const [vm] = await cloud.instance.api.list('listVirtualMachines', { name: 'ceph' });
  const [id, name] = [String(vm!['id']), String(vm!['instancename'])];
  const victim = cloud.hosts.find((host) => host.name === vm!['hostname'])!;
  await victim.run('sh', ['-c', 'kill -STOP -1']);
  const thaw = async () => {
    await victim.run('sh', ['-c', 'kill -CONT -1']);
    // who runs a program in a host stops with it, and has to be woken from outside
    await runProgram('pkill', ['-CONT', '-x', 'nsenter'], { signal: AbortSignal.timeout(10_000) });
  };
  t.after(thaw);
  await untilRunningOn(id, other(victim));
  await cloud.untilGuestSays(id, microGuestLines.up(3, 'lab'));
  assert.match(await ceph!.ceph('osd', 'blocklist', 'ls'), new RegExp(`${victim.address}:0/`));
  // all of it wakes but the guard and the agent, who would end the guest at once: what is left to stop it is the cluster
  await victim.run('pkill', ['-CONT', '-f', 'libvirtd|virtlogd|qemu-system']);
  await virsh(victim, 'reset', name);
  await until('the old guest cannot read its disk', 30_000, async () => {
    const stats = await virsh(victim, 'qemu-monitor-command', name, '{"execute":"query-blockstats"}');
    return /"failed_rd_operations":[1-9]/.test(stats) ? true : undefined;
  });
  // it counts its starts on its disk: the old guest's is not there
  await cloud.instance.api.run('rebootVirtualMachine', { id, forced: 'true' });
  await cloud.untilGuestSays(id, microGuestLines.up(4, 'lab'));
  await thaw();
  await until('what woke is removed', 30_000, async () =>
    (await cloud.definedOn(name)).join() === other(victim).name ? true : undefined,
  );
});
