import { defineCommand, everyone } from '../command.ts';
import { asyncJobFields } from '../entities/async-job.ts';
import { ownerParams, pagingParams, param } from '../param.ts';

export const queryAsyncJobResult = defineCommand({
  name: 'queryAsyncJobResult',
  description: 'Tells how far a job is, and its result once it ended',
  isAsync: false,
  params: { jobid: param.uuid('the ID of the job', { required: true }) },
  response: asyncJobFields,
  result: { kind: 'flat' },
  roles: everyone,
});

export const listAsyncJobs = defineCommand({
  name: 'listAsyncJobs',
  description: 'Lists jobs, newest first',
  isAsync: false,
  params: {
    ...ownerParams,
    ...pagingParams,
    startdate: param.date('jobs created since then'),
    resourceid: param.string('jobs about the resource of this ID'),
    resourcetype: param.string('jobs about resources of this type, such as VirtualMachine'),
    jobstatus: param.integer('own extension: jobs of this status: 0 pending, 1 succeeded, 2 failed'),
  },
  response: asyncJobFields,
  result: { kind: 'list', key: 'asyncjobs' },
  roles: everyone,
});
