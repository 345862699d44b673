import { type asyncJobFields, type EntityOf, formatDate } from '@millrace/api';
import { messageForUsers } from '../../domain/host-failures.ts';
import { allows } from '../../domain/role-rules.ts';
import type { AttemptRow, JobRow } from '../../store/job-list.ts';
import type { Caller } from '../command.ts';
import { displayedDomainPath } from './domain-path.ts';
import { withoutAdminFields } from './virtual-machine.ts';

export type AsyncJobEntity = EntityOf<typeof asyncJobFields>;

const pending = 0;

/**
 * A job as clients poll it: `jobresult` is absent until the end, since clients take its presence for the end. Hosts and
 * pools are named to root admins; a guest's new password is told to whoever asked for it and those who may call
 * getVMPassword, so not to a Read-Only Admin.
 */
export function asyncJobEntity(row: JobRow, caller: Caller): AsyncJobEntity {
  const forAdmin = caller.role === 'admin';
  const withPassword = row.user_uuid === caller.userUuid || allows(caller.rules, 'getVMPassword');
  return {
    jobid: row.uuid,
    jobstatus: row.job_status,
    jobprocstatus: row.job_process_status,
    jobresultcode: row.job_result_code,
    accountid: row.account_uuid,
    account: row.account_name,
    domainid: row.domain_uuid,
    domainpath: displayedDomainPath(row.domain_path),
    userid: row.user_uuid,
    cmd: row.job_cmd,
    jobinstancetype: row.instance_type ?? undefined,
    jobinstanceid: row.instance_uuid ?? undefined,
    created: formatDate(row.created),
    completed: row.completed ? formatDate(row.completed) : undefined,
    jobprogress: progressOf(row.job_progress, forAdmin),
    ...(row.job_status === pending ? {} : endOf(row, forAdmin, withPassword)),
  };
}

function endOf(row: JobRow, forAdmin: boolean, withPassword: boolean): AsyncJobEntity {
  return {
    jobresulttype: 'object',
    jobresult: resultOf(row.job_result, forAdmin, withPassword),
  };
}

/** Results are kept as a root admin would see them; a failure beside that in the words for everybody else. */
function resultOf(result: unknown, forAdmin: boolean, withPassword: boolean): object {
  if (!isObject(result)) return {};
  if ('errortext' in result) {
    const { usertext = result.errortext } = result as { usertext?: unknown };
    return { ...without(result, 'usertext'), ...(forAdmin ? {} : { errortext: usertext }) };
  }
  const machine = 'virtualmachine' in result ? result.virtualmachine : undefined;
  if (!isObject(machine)) return result;
  const told = withPassword ? machine : without(machine, 'password');
  return { ...result, virtualmachine: forAdmin ? told : withoutAdminFields(told) };
}

function progressOf(progress: unknown, forAdmin: boolean): object | undefined {
  if (!isObject(progress)) return undefined;
  return forAdmin ? progress : without(progress, 'hostname', 'poolname');
}

/** An attempt at a host, with every try at a source, as CloudStack spells fields: in lower case. */
export function attemptEntity(row: AttemptRow, forAdmin: boolean): object {
  const sources = Array.isArray(row.source_attempts) ? row.source_attempts : [];
  return {
    ...(forAdmin ? { host: row.host_name ?? undefined, pool: row.pool_name ?? undefined } : {}),
    ordinal: row.ordinal,
    state: row.state,
    reason: row.reason ?? undefined,
    message:
      row.message === null ? undefined : forAdmin ? row.message : messageForUsers(row.reason, row.message),
    next: row.next ?? undefined,
    started: formatDate(row.started),
    ended: row.ended ? formatDate(row.ended) : undefined,
    phasems: row.phase_ms ?? undefined,
    sources: sources.filter(isObject).map(lowerCaseKeys),
  };
}

function lowerCaseKeys(value: object): object {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key.toLowerCase(), item]));
}

function without(value: object, ...names: string[]): object {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
