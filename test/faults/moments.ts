import assert from 'node:assert/strict';
import { sleep } from '@millrace/core';
import type { JobAnswer } from '../e2e/instance.ts';
import { until } from '../e2e/lab-cloud.ts';
import type { World } from './world.ts';

/** Something is under way, and has come to the moment at which a fault strikes. */
export interface Underway {
  /** The host at work. */
  readonly host: string;
  readonly instanceName: string | undefined;
  /** Lets it go on where it was held, and waits for its end. Undefined: an answer that is no job's. */
  end(): Promise<JobAnswer | undefined>;
}

type Begin = (world: World) => Promise<Underway>;

let count = 0;
const { signal } = new AbortController();
const fresh = (what: string) => {
  count += 1;
  return `${what}-${count}`;
};
/** Of a transfer that is held while its source, its host or its network fails. */
const jobTimeoutMs = 150_000;

interface Registration {
  /** One that never answers and one that does, or two of the same rank. */
  readonly mirrors?: 'dead and well' | 'pair' | undefined;
  readonly iso?: boolean;
}

async function register(world: World, options: Registration = {}) {
  const { api } = world.cloud.instance;
  const name = fresh(options.iso ? 'disc' : options.mirrors === 'pair' ? 'pair' : 'image');
  const file = `${name}.${options.iso ? 'iso' : 'qcow2'}`;
  const common = {
    name,
    displaytext: name,
    url: world.urlOf(options.mirrors ? `${file}.meta4` : file),
    zoneid: world.cloud.zoneid,
  };
  const answer = options.iso
    ? await api.list('registerIso', common)
    : await api.list('registerTemplate', { ...common, format: 'QCOW2', hypervisor: 'KVM' });
  return String(answer[0]!['id']);
}

/** Calls an asynchronous command; both IDs of its answer are acknowledged from now on. */
async function request(world: World, command: string, params: Record<string, string>) {
  const answer = await world.cloud.instance.api.call(command, params);
  const jobid = String(answer['jobid']);
  world.acknowledged.jobs.add(jobid);
  if (command === 'deployVirtualMachine') world.acknowledged.vms.add(String(answer['id']));
  return { jobid, id: String(answer['id']) };
}

const endOf = (world: World, jobid: string) => async () => {
  world.web.release();
  return world.cloud.instance.api.job(jobid, jobTimeoutMs);
};

async function deploy(world: World) {
  const template = await register(world);
  return request(world, 'deployVirtualMachine', world.cloud.deployment(template, fresh('vm')));
}

/** An instance that runs, or is stopped. */
async function instance(world: World, state: 'Running' | 'Stopped' = 'Running') {
  const { id, jobid } = await deploy(world);
  const job = await world.cloud.instance.api.job(jobid);
  assert.equal(job.jobstatus, 1, `the instance of the row: ${JSON.stringify(job)}`);
  const row = await world.cloud.instance1(id);
  if (state === 'Stopped') {
    const stop = await request(world, 'stopVirtualMachine', { id, forced: 'true' });
    assert.equal((await world.cloud.instance.api.job(stop.jobid)).jobstatus, 1);
  }
  return { id, host: String(row['hostname']), instanceName: String(row['instancename']) };
}

/** A job that begins and goes on by itself: the fault strikes as soon as the request is acknowledged. */
function atOnce(
  command: string,
  params: (id: string, world: World) => Record<string, string> | Promise<Record<string, string>>,
  state: 'Running' | 'Stopped' = 'Running',
): Begin {
  return async (world) => {
    const { id, host, instanceName } = await instance(world, state);
    const { jobid } = await request(world, command, await params(id, world));
    return { host, instanceName, end: endOf(world, jobid) };
  };
}

/** A deployment whose transfer has come so far. */
function transferAt(part: number, mirrors?: Registration['mirrors']): Begin {
  return async (world) => {
    const template = await register(world, { mirrors });
    world.web.hold(part);
    const { jobid } = await request(
      world,
      'deployVirtualMachine',
      world.cloud.deployment(template, fresh('vm')),
    );
    const { from } = await world.web.reached();
    const host = world.cloud.hosts.find(({ address }) => address === from)!;
    return { host: host.name, instanceName: undefined, end: endOf(world, jobid) };
  };
}

/** A deployment that has come to a phase, or past it before anybody could look. */
function phase(...phases: readonly string[]): Begin {
  return async (world) => {
    const { jobid } = await deploy(world);
    let host = world.cloud.hosts[0]!.name;
    await until(`phase ${phases.join(' or ')}`, 30_000, async () => {
      const job = (await world.cloud.instance.api.call('queryAsyncJobResult', {
        jobid,
      })) as unknown as JobAnswer;
      host = job.jobattempts?.[0]?.host ?? host;
      const reached = phases.includes(job.jobprogress?.phase ?? '');
      return reached || job.jobstatus !== 0 ? true : undefined;
    });
    return { host, instanceName: undefined, end: endOf(world, jobid) };
  };
}

export const moments = {
  /** A source is looked at before its template is registered. */
  probe: async (world) => {
    world.web.hold(0);
    const registered = register(world).catch(() => undefined);
    const { from } = await world.web.reached();
    return {
      host: world.cloud.hosts.find(({ address }) => address === from)!.name,
      instanceName: undefined,
      async end() {
        world.web.release();
        await registered;
        return undefined;
      },
    };
  },
  'transfer 0 %': transferAt(0),
  'transfer 50 %': transferAt(0.5),
  'transfer 100 %': transferAt(1),
  'transfer from mirrors': transferAt(0.5, 'dead and well'),
  'transfer 0 % of two mirrors': transferAt(0, 'pair'),
  'transfer 50 % of two mirrors': transferAt(0.5, 'pair'),
  commit: phase('verifying', 'inspecting', 'committing', 'committed'),
  'create disk': phase('creating-volume'),
  start: phase('starting', 'running'),
  restore: atOnce('restoreVirtualMachine', (id) => ({ virtualmachineid: id }), 'Stopped'),
  stop: atOnce('stopVirtualMachine', (id) => ({ id })),
  expunge: atOnce('destroyVirtualMachine', (id) => ({ id, expunge: 'true' })),
  migration: atOnce('migrateVirtualMachine', (id) => ({ virtualmachineid: id })),
  'ISO attach': async (world) => {
    const { id, host, instanceName } = await instance(world);
    const iso = await register(world, { iso: true });
    world.web.hold(0.5);
    const { jobid } = await request(world, 'attachIso', { id: iso, virtualmachineid: id });
    await world.web.reached();
    return { host, instanceName, end: endOf(world, jobid) };
  },
  /** An instance runs and nobody does anything. */
  'a running instance': async (world) => {
    const { host, instanceName } = await instance(world);
    return {
      host,
      instanceName,
      async end() {
        await sleep(1000, signal);
        return undefined;
      },
    };
  },
} as const satisfies Record<string, Begin>;

export type Moment = keyof typeof moments;
