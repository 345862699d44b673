import assert from 'node:assert/strict';
import { join } from 'node:path';
import { sleep } from '@millrace/core';
import { poolNames } from '../e2e/shared-cloud.ts';
import type { LabHost } from '../lab/lab-host.ts';
import type { World } from './world.ts';

const { signal } = new AbortController();
const settleMs = 75_000;

/**
 * What holds whatever happened: an instance runs where the API says and nowhere else, and after everything was deleted
 * nothing of it is left on the pool, in libvirt of any host, or in the database.
 */
export async function checkInvariants(world: World, before: ReadonlySet<string>): Promise<void> {
  await eventually('every job has ended', () => pendingJobs(world));
  await eventually('each instance runs where the API says, and nowhere else', () => misplaced(world));
  await deleteEverything(world);
  await eventually('nothing is left', async () =>
    (await leftovers(world)).filter((left) => !before.has(left)),
  );
  await assertNothingForgotten(world);
}

/** @param look what is wrong still */
async function eventually(what: string, look: () => Promise<string[]>): Promise<void> {
  const deadline = Date.now() + settleMs;
  for (;;) {
    const wrong = await look().catch((error: unknown) => [String(error)]);
    if (wrong.length === 0) return;
    if (Date.now() > deadline) assert.fail(`${what}: ${wrong.join('; ')}`);
    await sleep(300, signal);
  }
}

async function pendingJobs({ database }: World): Promise<string[]> {
  const jobs = await database
    .selectFrom('async_job')
    .select(['uuid', 'job_cmd'])
    .where('job_status', '=', 0)
    .execute();
  return jobs.map(({ uuid, job_cmd: command }) => `${command} ${uuid} is pending`);
}

async function domains(host: LabHost, ...options: string[]): Promise<string[]> {
  const { stdout } = await host.run('virsh', ['-c', 'qemu:///system', 'list', ...options, '--name']);
  return stdout.split('\n').flatMap((line) => line.trim() || []);
}

async function misplaced(world: World): Promise<string[]> {
  const vms = await world.cloud.instance.api.list('listVirtualMachines', { pagesize: '500' });
  const places = await Promise.all(
    world.cloud.hosts.map(async (host) => ({ host: host.name, names: await domains(host) })),
  );
  return vms.flatMap((vm) => {
    const name = String(vm['instancename']);
    const runs = places.filter(({ names }) => names.includes(name)).map(({ host }) => host);
    if (runs.length > 1) return `${name} runs twice: ${runs.join(', ')}`;
    const state = String(vm['state']);
    // the host it may run on is gone: nobody can say more
    if (state === 'Unknown' && !world.hostNamed(String(vm['hostname']))) return [];
    const expected = state === 'Running' ? String(vm['hostname']) : undefined;
    if (!['Running', 'Stopped', 'Error', 'Destroyed'].includes(state)) return `${name} is ${state}`;
    return runs[0] === expected ? [] : `${name} is ${state} on ${expected} and runs on ${runs[0]}`;
  });
}

async function deleteEverything(world: World): Promise<void> {
  const { api } = world.cloud.instance;
  const remove = async (command: string, params: Record<string, string>) => {
    const job = await world.patiently(() => api.run(command, params));
    assert.equal(job.jobstatus, 1, `${command}: ${JSON.stringify(job)}`);
  };
  for (const { id } of await world.patiently(() => api.list('listVirtualMachines', { pagesize: '500' })))
    await remove('destroyVirtualMachine', { id: String(id), expunge: 'true' });
  const filter = { templatefilter: 'self', pagesize: '500' };
  for (const { id } of await world.patiently(() => api.list('listTemplates', filter)))
    await remove('deleteTemplate', { id: String(id), forced: 'true' });
  const isos = await world.patiently(() => api.list('listIsos', { isofilter: 'self', pagesize: '500' }));
  for (const { id } of isos) await remove('deleteIso', { id: String(id), forced: 'true' });
}

/** What there is of anything. A row that fails leaves it to itself: it is no fault of the next one. */
export async function leftovers(world: World): Promise<string[]> {
  const { database, cloud } = world;
  const names = await poolNames(cloud.shared);
  const files = names.filter((name) => name !== '.millrace-pool').map((name) => `file ${name}`);
  const found = await Promise.all(
    cloud.hosts.map(async (host) => [
      ...(await domains(host, '--all')).map((name) => `domain ${name} on ${host.name}`),
      ...(await poolNames(join(host.directory, 'pool'))).map((name) => `file ${name} on ${host.name}`),
    ]),
  );
  const [vms, volumes, copies, cards, steps] = await Promise.all([
    database.selectFrom('vm_instance').select('name').where('removed', 'is', null).execute(),
    database.selectFrom('volumes').select(['uuid', 'state']).where('state', '!=', 'Expunged').execute(),
    database.selectFrom('template_spool_ref').select(['install_path', 'lease_owner']).execute(),
    database.selectFrom('nics').select('mac_address').where('removed', 'is', null).execute(),
    pendingJobs(world),
  ]);
  return [
    ...files,
    ...found.flat(),
    ...vms.map(({ name }) => `row of instance ${name}`),
    ...volumes.map(({ uuid, state }) => `row of disk ${uuid} (${state})`),
    ...copies.map((copy) => `row of copy ${copy.install_path}, lease ${copy.lease_owner}`),
    ...cards.map(({ mac_address: mac }) => `row of card ${mac}`),
    ...steps,
  ];
}

/** Whatever was acknowledged has a row, and every job an answer. */
async function assertNothingForgotten({ database, acknowledged }: World): Promise<void> {
  const jobs = await database.selectFrom('async_job').select(['uuid', 'job_result']).execute();
  const answered = new Set(jobs.filter((job) => job.job_result !== null).map(({ uuid }) => uuid));
  const vms = new Set(
    (await database.selectFrom('vm_instance').select('uuid').execute()).map(({ uuid }) => uuid),
  );
  assert.deepEqual(
    [...acknowledged.jobs].filter((uuid) => !answered.has(uuid)),
    [],
    'every job has its answer',
  );
  assert.deepEqual(
    [...acknowledged.vms].filter((uuid) => !vms.has(uuid)),
    [],
    'every instance was there',
  );
}
