import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runProgram, sleep } from '@millrace/core';
import { microGuestLines } from '../fixtures/micro-guest.ts';
import { type CephCluster, startCeph } from '../lab/ceph.ts';
import { type LabHost, labAddress } from '../lab/lab-host.ts';
import { answerInParts } from './answer-in-parts.ts';
import { type LabCloud, startLabCloud, until } from './lab-cloud.ts';

/**
 * What becomes of highly available instances on a Ceph pool when their host is lost: real hosts, a real cluster, whose
 * leases and whose list of clients that are shut out are looked at from outside. Tests in order.
 */

const { signal } = new AbortController();
let cloud: LabCloud;
let ceph: CephCluster;
let template: string;
const hosts: LabHost[] = [];

before(async () => {
  cloud = await startLabCloud();
  cloud.misbehave = answerInParts(cloud.image);
  ceph = await startCeph(labAddress);
  for (const number of [11, 12]) hosts.push(await cloud.addHost(number));
  const { api } = cloud.instance;
  await api.call('updateConfiguration', { name: 'ha.lease.seconds', value: '5' });
  const secret = ceph.secret.replaceAll('+', '-').replaceAll('/', '_');
  const url = `rbd://${ceph.user}:${secret}@${ceph.monitor}/${ceph.pool}`;
  await api.call('createStoragePool', { name: 'ceph', url, zoneid: cloud.zoneid, scope: 'zone' });
  for (const local of await api.list('listStoragePools', { scope: 'HOST' }))
    await api.call('updateStoragePool', { id: String(local['id']), enabled: 'false' });
  template = await cloud.newTemplate();
});
after(async () => {
  for (const host of [...(cloud?.hosts ?? [])]) await cloud.lose(host);
  await ceph?.[Symbol.asyncDispose]();
  await cloud?.[Symbol.asyncDispose]();
});

const rowOf = async (id: string) => (await cloud.instance.api.list('listVirtualMachines', { id }))[0]!;
const virsh = async (host: LabHost, ...argv: string[]) =>
  (await host.run('virsh', ['-c', 'qemu:///system', ...argv])).stdout;
const objects = async () => (await ceph.rados('ls')).split('\n');

async function highlyAvailable(name: string, host: LabHost): Promise<Record<string, unknown>> {
  const { api } = cloud.instance;
  const hostid = String((await cloud.hostNamed(host.name))!['id']);
  const run = async (command: string, params: Record<string, string>) => {
    const job = await api.run(command, params, 180_000);
    assert.equal(job.jobstatus, 1, JSON.stringify(job));
    return job;
  };
  const deployment = { ...cloud.deployment(template, name), startvm: 'false', hostid };
  const job = await run('deployVirtualMachine', deployment);
  const { id } = job.jobresult!['virtualmachine'] as { id: string };
  await api.call('updateVirtualMachine', { id, haenable: 'true' });
  await run('startVirtualMachine', { id, hostid });
  await cloud.untilGuestSays(id, microGuestLines.up(1, 'lab'));
  return rowOf(id);
}

const untilRunningOn = (id: string, host: LabHost) =>
  until(`the instance runs on ${host.name}`, 90_000, async () => {
    const row = await rowOf(id);
    return row['state'] === 'Running' && row['hostname'] === host.name ? true : undefined;
  });

test('a host that is cut off but reaches the Ceph pool keeps its instance; by an operator’s word it ends it and another starts it', async () => {
  const [victim, other] = hosts as [LabHost, LabHost];
  const vm = await highlyAvailable('ha', victim);
  const [id, name] = [String(vm['id']), String(vm['instancename'])];
  const seen: string[] = [];
  const stop = new AbortController();
  const watching = (async () => {
    while (!stop.signal.aborted) {
      const runs: string[] = [];
      for (const host of hosts)
        if ((await virsh(host, 'list', '--name')).includes(name)) runs.push(host.name);
      if (seen.at(-1) !== runs.join()) seen.push(runs.join());
      await sleep(100, signal);
    }
  })();
  // from the servers alone
  const drop = ['OUTPUT', '-p', 'tcp', '--dport', '8250', '-j', 'DROP'];
  await victim.run('iptables', ['-I', ...drop]);
  await until('the server says why it waits', 60_000, async () => {
    const alerts = await cloud.instance.api.list('listEvents', { type: 'ALERT.COMPUTE.HOST' });
    return JSON.stringify(alerts).includes(`${victim.name} cannot be reached, but renews its lease`)
      ? true
      : undefined;
  });
  const hostid = String((await cloud.hostNamed(victim.name))!['id']);
  const declared = await cloud.instance.api.run('declareHostAsDegraded', { id: hostid });
  assert.equal(declared.jobstatus, 1, JSON.stringify(declared));
  await untilRunningOn(id, other);
  await cloud.untilGuestSays(id, microGuestLines.up(2, 'lab'));
  stop.abort();
  await watching;
  assert.deepEqual(seen, [victim.name, '', other.name], 'never two copies');
  await victim.run('iptables', ['-D', ...drop]);
  await cloud.untilHostIs(victim.name, 'Up');
  await cloud.instance.api.run('cancelHostAsDegraded', { id: hostid });
});

test('a machine that was frozen and wakes when another host runs its instance writes nothing to the disk any more', async (t) => {
  const [other, victim] = hosts as [LabHost, LabHost];
  const [vm] = await cloud.instance.api.list('listVirtualMachines', { name: 'ha' });
  const [id, name] = [String(vm!['id']), String(vm!['instancename'])];
  assert.ok((await objects()).some((object) => object.startsWith('.millrace-lease-')));
  await victim.run('sh', ['-c', 'kill -STOP -1']);
  // who runs a program in a host stops with it, and has to be woken from outside
  const thaw = async () => {
    await victim.run('sh', ['-c', 'kill -CONT -1']);
    await runProgram('pkill', ['-CONT', '-x', 'nsenter'], { signal: AbortSignal.timeout(10_000) });
  };
  t.after(thaw);
  await untilRunningOn(id, other);
  await cloud.untilGuestSays(id, microGuestLines.up(3, 'lab'));
  assert.match(await ceph.ceph('osd', 'blocklist', 'ls'), new RegExp(`${victim.address}:0/`));
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
  await cloud.untilHostIs(victim.name, 'Up');
  await until('what woke is removed', 20_000, async () =>
    (await virsh(victim, 'list', '--all', '--name')).includes(name) ? undefined : true,
  );
});
