import { readFile } from 'node:fs/promises';
import { runProgram, sleep } from '@millrace/core';
import { type Instance, makeDataDirectory, resetInstance, startInstance } from '../../test/e2e/instance.ts';
import { microGuestDisk } from '../../test/fixtures/micro-guest.ts';
import { startBadWebServer } from '../../test/servers/bad-web-server.ts';

/** Measures a second VM's deployment beside `virsh start`, and idle memory. See README.md. */

const rounds = Number(process.argv[2] ?? 7);
const restSeconds = 60;
const { signal } = new AbortController();

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
const show = (values: readonly number[]) =>
  `median ${Math.round(median(values))} ms (${Math.round(Math.min(...values))} to ${Math.round(Math.max(...values))})`;

async function virsh(...argv: string[]): Promise<void> {
  await runProgram('virsh', ['-c', 'qemu:///system', ...argv], { signal });
}

/** From the call until the job has ended. @returns milliseconds, and the libvirt name of the VM */
async function deploy(
  instance: Instance,
  params: Record<string, string>,
): Promise<{ ms: number; name: string; id: string }> {
  const began = performance.now();
  const { jobid, id } = (await instance.api.call('deployVirtualMachine', params)) as {
    jobid: string;
    id: string;
  };
  for (;;) {
    const job = await instance.api.call('queryAsyncJobResult', { jobid });
    if (job['jobstatus'] === 1) break;
    if (job['jobstatus'] !== 0) throw new Error(JSON.stringify(job));
    await sleep(20, signal);
  }
  const ms = performance.now() - began;
  const [vm] = await instance.api.list('listVirtualMachines', { id });
  return { ms, name: String(vm!['instancename']), id };
}

async function virshStartAlone(name: string): Promise<number> {
  await virsh('destroy', name);
  const began = performance.now();
  await virsh('start', name);
  return performance.now() - began;
}

async function residentMemory(pid: number): Promise<string> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return `${Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024)} MiB`;
}

const dataDir = await makeDataDirectory();
await using server = await startBadWebServer({
  files: { 'micro.raw': microGuestDisk({ tag: 'bench', powersOffAfterSeconds: 0 }) },
});
const instance = await startInstance(dataDir);
try {
  await instance.api.call('updateConfiguration', {
    name: 'direct.download.egress.allowed.cidrs',
    value: '127.0.0.0/8',
  });
  const zoneid = String((await instance.api.list('listZones'))[0]!['id']);
  const serviceofferingid = String((await instance.api.list('listServiceOfferings'))[0]!['id']);
  const registered = await instance.api.call('registerTemplate', {
    name: 'bench',
    displaytext: 'bench',
    format: 'RAW',
    hypervisor: 'KVM',
    url: server.url('ok', 'micro.raw'),
    directdownload: 'true',
    zoneid,
  });
  const templateid = (registered['template'] as { id: string }[])[0]!.id;
  const params = { zoneid, serviceofferingid, templateid };
  const first = await deploy(instance, { ...params, name: 'first' });
  console.log(`first VM, fetched and booted:       ${Math.round(first.ms)} ms`);

  const deployed: number[] = [];
  const alone: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const vm = await deploy(instance, { ...params, name: `bench-${round}` });
    deployed.push(vm.ms);
    alone.push(await virshStartAlone(vm.name));
    await instance.api.run('destroyVirtualMachine', { id: vm.id, expunge: 'true' });
  }
  const beyond = deployed.map((ms, index) => ms - alone[index]!);
  console.log(`a further VM, call to Running:      ${show(deployed)}`);
  console.log(`the same domain by virsh start:     ${show(alone)}`);
  console.log(`Millrace beyond virsh start:        ${show(beyond)}`);

  await sleep(restSeconds * 1000, signal);
  for (const part of ['server', 'agent'] as const)
    console.log(`${part} at rest: ${await residentMemory(await instance.pidOf(part))}`);
} finally {
  await instance.stop();
  await resetInstance(dataDir);
}
