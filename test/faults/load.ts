import assert from 'node:assert/strict';
import { sleep } from '@millrace/core';
import type { JobAnswer } from '../e2e/instance.ts';
import { pick } from './random.ts';
import type { World } from './world.ts';

/** What clients got while something else was under way. */
export interface LoadCounts {
  readonly succeeded: number;
  /** Jobs that failed, and said why: something was failing on purpose. */
  readonly failed: number;
  /** Calls that were not acknowledged. */
  readonly refused: number;
}

export interface Load {
  /** Lets every client come to the end of what it does. Rejects when a job had no end, or failed without a reason. */
  stop(): Promise<LoadCounts>;
}

const { signal } = new AbortController();
const clients = 3;
/** Of one client: two cores have to run its guests too. */
const deploymentsAtMost = 4;
const jobTimeoutMs = 170_000;
let count = 0;

/** Several clients deploy, stop, start, restore and remove instances at once. */
export function startLoad(world: World, random: () => number): Load {
  const counts = { succeeded: 0, failed: 0, refused: 0 };
  let stopping = false;

  /** @returns its answer, or undefined when the call was not acknowledged */
  async function call(command: string, params: Record<string, string>) {
    try {
      return await pick(random, world.apis).call(command, params);
    } catch {
      counts.refused += 1;
      await sleep(300, signal);
      return undefined;
    }
  }

  async function run(command: string, params: Record<string, string>): Promise<JobAnswer | undefined> {
    const answer = await call(command, params);
    if (!answer) return undefined;
    const jobid = String(answer['jobid']);
    world.acknowledged.jobs.add(jobid);
    if (command === 'deployVirtualMachine') world.acknowledged.vms.add(String(answer['id']));
    const job = await world.cloud.instance.api.job(jobid, jobTimeoutMs);
    if (job.jobstatus === 1) counts.succeeded += 1;
    else {
      counts.failed += 1;
      assert.ok((job.jobresult?.errortext ?? '').length > 10, `${command}: a failure says why`);
    }
    return job;
  }

  async function template(): Promise<string | undefined> {
    count += 1;
    const answer = await call('registerTemplate', {
      name: `load-${count}`,
      displaytext: 'load',
      url: world.urlOf(`load-${count}.qcow2`),
      zoneid: world.cloud.zoneid,
      format: 'QCOW2',
      hypervisor: 'KVM',
    });
    const rows = Object.values(answer ?? {}).find(Array.isArray) as { id: string }[] | undefined;
    return rows?.[0]?.id;
  }

  async function client(): Promise<void> {
    let templateid: string | undefined;
    for (let deployed = 0; !stopping; ) {
      if (deployed >= deploymentsAtMost) {
        await sleep(200, signal);
        continue;
      }
      if (!templateid || random() < 0.4) templateid = await template();
      if (!templateid) continue;
      deployed += 1;
      count += 1;
      const job = await run('deployVirtualMachine', world.cloud.deployment(templateid, `load-${count}`));
      const id = (job?.jobresult?.['virtualmachine'] as { id: string } | undefined)?.id;
      if (job?.jobstatus === 1 && id) await use(id);
    }
  }

  async function use(id: string): Promise<void> {
    const what = pick(random, ['stop and start', 'restore', 'expunge', 'expunge', 'nothing']);
    if (what === 'stop and start') {
      await run('stopVirtualMachine', { id, forced: 'true' });
      await run('startVirtualMachine', { id });
    } else if (what === 'restore') {
      await run('stopVirtualMachine', { id, forced: 'true' });
      await run('restoreVirtualMachine', { virtualmachineid: id });
    } else if (what === 'expunge') await run('destroyVirtualMachine', { id, expunge: 'true' });
  }

  // whoever stops it hears of what went wrong
  const working = Promise.allSettled(Array.from({ length: clients }, () => client()));
  return {
    async stop() {
      stopping = true;
      for (const result of await working) if (result.status === 'rejected') throw result.reason;
      return counts;
    },
  };
}
