import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '@millrace/core';
import type { LabHost } from '../lab/lab-host.ts';
import { type LabCloud, startLabCloud, until } from './lab-cloud.ts';

/** Hosts of a lab with one storage pool that all of them reach, and no other. */
export interface SharedCloud extends LabCloud {
  readonly shared: string;
  readonly poolId: string;
  idOf(host: LabHost): Promise<string>;
  /** Brings a host up that reaches the pool. */
  addSharedHost(number: number, joinOptions?: readonly string[]): Promise<LabHost>;
  /** Deploys an instance; a highly available one when asked for. @returns its row */
  newInstance(options: {
    readonly name: string;
    readonly host: LabHost;
    readonly ha: boolean;
  }): Promise<Record<string, unknown>>;
  instance1(id: string): Promise<Record<string, unknown>>;
  /** Which hosts have a process for it now, by their libvirt. */
  runningOn(instanceName: string): Promise<string[]>;
  /** Which hosts know it, whether it runs or not. */
  definedOn(instanceName: string): Promise<string[]>;
}

const timeout = () => ({ signal: AbortSignal.timeout(20_000) });

export async function startSharedCloud(numbers: readonly number[]): Promise<SharedCloud> {
  const lab = await startLabCloud();
  const shared = join(lab.work, 'shared');
  await runProgram('mkdir', [shared], timeout());
  // mounted before the hosts are there: all of them have it
  await runProgram('mount', ['-t', 'tmpfs', '-o', 'size=512m,mode=0711', 'shared', shared], timeout());
  const { api } = lab.instance;
  const listed = async (host: LabHost, ...options: string[]) => {
    const { stdout } = await host.run('virsh', ['-c', 'qemu:///system', 'list', ...options, '--name']);
    return stdout.split('\n').map((line) => line.trim());
  };
  const hostsWith = async (instanceName: string, ...options: string[]) => {
    const found: string[] = [];
    for (const host of lab.hosts)
      if ((await listed(host, ...options)).includes(instanceName)) found.push(host.name);
    return found;
  };
  let poolId = '';
  let template: string | undefined;
  const cloud: SharedCloud = Object.assign(lab, {
    shared,
    get poolId() {
      return poolId;
    },
    idOf: async (host: LabHost) => String((await lab.hostNamed(host.name))!['id']),
    async addSharedHost(number: number, joinOptions: readonly string[] = []) {
      const host = await lab.addHost(number, ['--shared', shared, ...joinOptions]);
      if (poolId === '') {
        const url = `SharedMountPoint://localhost${shared}`;
        const made = await api.call('createStoragePool', {
          name: 'shared',
          url,
          zoneid: lab.zoneid,
          scope: 'zone',
        });
        poolId = String((made['storagepool'] as Record<string, unknown>)['id']);
      }
      const hostid = await cloud.idOf(host);
      await until(`${host.name} reaches the pool`, 30_000, async () =>
        (await api.list('listStoragePools', { hostid, id: poolId })).length === 1 ? true : undefined,
      );
      for (const local of await api.list('listStoragePools', { scope: 'HOST' }))
        if (local['state'] === 'Up')
          await api.call('updateStoragePool', { id: String(local['id']), enabled: 'false' });
      return host;
    },
    async newInstance({ name, host, ha }: { name: string; host: LabHost; ha: boolean }) {
      template ??= await lab.newTemplate();
      const hostid = await cloud.idOf(host);
      const job = await api.run('deployVirtualMachine', {
        ...lab.deployment(template, name),
        startvm: 'false',
        hostid,
      });
      assert.equal(job.jobstatus, 1, JSON.stringify(job));
      const { id } = job.jobresult!['virtualmachine'] as { id: string };
      if (ha) await api.call('updateVirtualMachine', { id, haenable: 'true' });
      const started = await api.run('startVirtualMachine', { id, hostid });
      assert.equal(started.jobstatus, 1, JSON.stringify(started));
      return cloud.instance1(id);
    },
    instance1: async (id: string) => (await api.list('listVirtualMachines', { id }))[0]!,
    runningOn: (name: string) => hostsWith(name),
    definedOn: (name: string) => hostsWith(name, '--all'),
  });
  const dispose = lab[Symbol.asyncDispose].bind(lab);
  cloud[Symbol.asyncDispose] = async () => {
    for (const host of [...lab.hosts]) await lab.lose(host).catch(() => {});
    await runProgram('umount', ['--lazy', shared], timeout()).catch(() => {});
    await dispose();
  };
  for (const number of numbers) await cloud.addSharedHost(number);
  return cloud;
}

/** Names of what a shared pool holds, leases included. */
export async function poolNames(directory: string): Promise<string[]> {
  return (await readdir(directory)).toSorted();
}
