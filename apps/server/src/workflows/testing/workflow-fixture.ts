import { randomBytes, randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { withTestDatabase } from '../../../../../test/postgres.ts';
import type { JobCommand, JobParameters } from '../../jobs/queue.ts';
import type { Jobs } from '../../jobs/start-jobs.ts';
import { type RunSteps, runSteps } from '../../jobs/steps.ts';
import { jobEnded, startTestJobs } from '../../jobs/testing/job-fixture.ts';
import type { Database } from '../../store/database.ts';
import type { Row } from '../../store/schema.ts';
import {
  type CloudRows,
  type HostRows,
  insertCloud,
  insertHost,
  insertTemplate,
  insertVm,
  type VmRows,
} from '../../store/testing/cloud-rows.ts';
import { jobDefinitions } from '../job-definitions.ts';
import { type FakeAgents, makeFakeAgents } from './fake-agents.ts';

/** A cloud with scripted hosts, real PostgreSQL and the real job engine. */
export interface WorkflowFixture {
  readonly database: Database;
  readonly url: string;
  readonly cloud: CloudRows;
  readonly agents: FakeAgents;
  readonly hosts: readonly HostRows[];
  readonly templateId: number;
  jobs: Jobs;
  /** A deployment's rows, as the command writes them. */
  newVm(options?: { readonly templateId?: number; readonly startVm?: boolean }): Promise<VmRows>;
  enqueue<C extends JobCommand>(command: C, parameters: JobParameters[C]): Promise<string>;
  run<C extends JobCommand>(command: C, parameters: JobParameters[C]): Promise<Row<'async_job'>>;
  vm(vmId: number): Promise<Row<'vm_instance'>>;
  attempts(jobUuid: string): Promise<Row<'deployment_attempt'>[]>;
  spool(poolId: number): Promise<Row<'template_spool_ref'> | undefined>;
  /** Starts the engine again, as another server. */
  restartJobs(t: TestContext, server: string): Promise<void>;
}

export async function startWorkflows(
  t: TestContext,
  options: { readonly hosts?: number; readonly runSteps?: RunSteps; readonly concurrency?: number } = {},
): Promise<WorkflowFixture> {
  const { database, url } = await withTestDatabase(t);
  const cloud = await insertCloud(database);
  const hosts: HostRows[] = [];
  for (let i = 1; i <= (options.hosts ?? 1); i++)
    hosts.push(await insertHost(database, cloud, `host-${i}`, { availableBytes: (90 - i) * 1024 ** 3 }));
  const templateId = await insertTemplate(database, cloud);
  const agents = makeFakeAgents();
  const startEngine = (context: TestContext, server: string) =>
    startTestJobs(context, {
      database,
      url,
      server,
      concurrency: options.concurrency ?? 12,
      definitions: jobDefinitions({
        agents,
        runSteps: options.runSteps ?? runSteps,
        queue: () => fixture.jobs,
      }),
    });
  const enqueue = async <C extends JobCommand>(command: C, parameters: JobParameters[C]) => {
    const { vmId, templateId: id } = parameters as { vmId?: number; templateId?: number };
    const entity =
      vmId !== undefined
        ? await database
            .selectFrom('vm_instance')
            .select('uuid')
            .where('id', '=', vmId)
            .executeTakeFirstOrThrow()
        : await database
            .selectFrom('vm_template')
            .select('uuid')
            .where('id', '=', id!)
            .executeTakeFirstOrThrow();
    return database.transaction().execute((trx) =>
      fixture.jobs.enqueue(trx, {
        command,
        parameters,
        userId: cloud.userId,
        accountId: cloud.accountId,
        instanceType: vmId !== undefined ? 'VirtualMachine' : 'Template',
        instanceUuid: entity.uuid,
      }),
    );
  };
  const fixture: WorkflowFixture = {
    database,
    url,
    cloud,
    agents,
    hosts,
    templateId,
    jobs: await startEngine(t, 'one'),
    newVm: (vm = {}) => insertReservedVm(database, cloud, { templateId: vm.templateId ?? templateId, ...vm }),
    enqueue,
    run: async (command, parameters) => jobEnded(database, await enqueue(command, parameters)),
    vm: (vmId) =>
      database.selectFrom('vm_instance').selectAll().where('id', '=', vmId).executeTakeFirstOrThrow(),
    attempts: (jobUuid) =>
      database
        .selectFrom('deployment_attempt')
        .selectAll('deployment_attempt')
        .innerJoin('async_job', 'async_job.id', 'deployment_attempt.job_id')
        .where('async_job.uuid', '=', jobUuid)
        .orderBy('ordinal')
        .execute(),
    spool: (poolId) =>
      database.selectFrom('template_spool_ref').selectAll().where('pool_id', '=', poolId).executeTakeFirst(),
    async restartJobs(context, server) {
      fixture.jobs = await startEngine(context, server);
    },
  };
  return fixture;
}

async function insertReservedVm(
  database: Database,
  cloud: CloudRows,
  options: { readonly templateId: number; readonly startVm?: boolean },
): Promise<VmRows> {
  const name = `vm-${randomBytes(3).toString('hex')}`;
  const vm = await insertVm(database, cloud, {
    templateId: options.templateId,
    name,
    state: options.startVm === false ? 'Stopped' : 'Starting',
  });
  await database
    .insertInto('volumes')
    .values({
      uuid: randomUUID(),
      name: `ROOT-${vm.vmId}`,
      state: 'Allocated',
      size: 1024 ** 3,
      instance_id: vm.vmId,
      template_id: options.templateId,
      data_center_id: cloud.zoneId,
      account_id: cloud.accountId,
    })
    .execute();
  await database
    .insertInto('nics')
    .values({
      uuid: randomUUID(),
      instance_id: vm.vmId,
      network_id: cloud.networkId,
      mac_address: `02:00:${randomBytes(4)
        .toString('hex')
        .replaceAll(/(..)(?=.)/g, '$1:')}`,
      ip4_address: `10.7.0.${10 + (vm.vmId % 200)}`,
      netmask: '255.255.255.0',
      gateway: '10.7.0.1',
    })
    .execute();
  return vm;
}
