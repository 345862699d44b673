import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type AgentMethods, agentMethods } from '@millrace/agent-protocol';
import { openSharedAuthority } from '../../agents/certificate-authority.ts';
import { runSteps } from '../../jobs/steps.ts';
import { startTestJobs, until } from '../../jobs/testing/job-fixture.ts';
import { jobDefinitions } from '../../workflows/job-definitions.ts';
import { makeFakeAgents } from '../../workflows/testing/fake-agents.ts';
import { usableProbe } from './fake-ports.ts';
import { type Answer, type Keys, type TestApi, withTestApi } from './test-api.ts';

export interface RunningApi extends TestApi {
  /** The job as it ended. */
  jobEnd(jobId: string, keys?: Keys): Promise<Answer>;
}

/** A real server whose jobs run, by the real engine, on hosts in memory. */
export async function withRunningApi(t: TestContext): Promise<RunningApi> {
  const api = await withTestApi(t);
  const directory = await mkdtemp(join(tmpdir(), 'millrace-authority-'));
  t.after(() => rm(directory, { recursive: true }));
  await openSharedAuthority(api.database, directory);
  const hosts = makeFakeAgents();
  const methods = Object.keys(agentMethods) as (keyof AgentMethods)[];
  for (const method of methods)
    Object.assign(api.agents.answers, {
      [method]: (params: never, hostId: number, options: never) =>
        hosts.call(hostId, method, params, options),
    });
  const space = { capacityBytes: 100 * 1024 ** 3, availableBytes: 90 * 1024 ** 3 };
  Object.assign(api.agents.answers, {
    'image.probe': () => usableProbe(),
    'pool.attach': () => ({ ...space, localPath: '/mnt/pool' }),
    'pool.detach': () => ({}),
    'pool.stats': () => space,
    'network.remove': () => ({}),
    'vm.console': () => ({ data: Buffer.from('login: ').toString('base64'), nextOffset: 7 }),
  });
  const jobs = await startTestJobs(t, {
    database: api.database,
    url: api.databaseUrl,
    definitions: jobDefinitions({ agents: api.agents, runSteps, queue: () => jobs }),
  });
  // the server was given the queue already: what it asks of it is done by the engine now
  Object.assign(api.jobs, { enqueue: jobs.enqueue });
  return {
    ...api,
    jobEnd: (jobid, keys = api.admin) =>
      until(`the end of job ${jobid}`, async () => {
        const answer = await api.call('queryAsyncJobResult', { jobid }, keys);
        return answer.content['jobstatus'] === 0 ? undefined : answer;
      }),
  };
}
