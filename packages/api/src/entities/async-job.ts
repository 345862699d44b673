import { type FieldSpecs, field } from '../fields.ts';

/** Job: names and types as CloudStack's `listApis` has them. */
export const asyncJobFields = {
  account: field.string('the account that started the job'),
  accountid: field.string('the ID of the account that owns the job'),
  cmd: field.string('the command that the job runs'),
  completed: field.date('when the job ended'),
  created: field.date('when the job was created'),
  domainid: field.string('the ID of the domain of that account'),
  domainpath: field.string('the path of that domain'),
  jobattempts: field.list('own extension: every attempt at a host with every try at a source'),
  jobid: field.string('the ID of the job'),
  jobinstanceid: field.string('the ID of what the job works on'),
  jobinstancetype: field.string('the type of what the job works on'),
  jobprocstatus: field.integer('the progress code of the job'),
  jobprogress: field.object('own extension: phase, percent, bytes, rate and source while the job runs'),
  jobresult: field.object('the result, absent while the job is pending', 'responseobject'),
  jobresultcode: field.integer('0 or the error code'),
  jobresulttype: field.string('the kind of result'),
  jobstatus: field.integer('0 pending, 1 succeeded, 2 failed'),
  userid: field.string('the ID of the user'),
} as const satisfies FieldSpecs;
