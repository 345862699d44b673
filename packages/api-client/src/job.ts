import {
  definedMembers,
  isJsonObject,
  type JsonObject,
  numberMember,
  objectsOf,
  textMember,
} from './json.ts';

/** One try at one source, as the fetching host recorded it. Keys are those of the wire. */
export interface JobSource {
  /** Redacted by the server. */
  readonly url: string;
  readonly sourcerank?: number;
  readonly location?: string;
  readonly checksumattempt?: number;
  readonly trynumber?: number;
  readonly state?: string;
  readonly bytes?: number;
  readonly totalbytes?: number;
  readonly bytespersecond?: number;
  readonly durationms?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly next?: string;
}

/** One try of the job on one host and pool, with the sources that were tried from there. */
export interface JobAttempt {
  readonly ordinal?: number;
  readonly started?: string;
  readonly ended?: string;
  readonly host?: string;
  readonly pool?: string;
  readonly state?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly next?: string;
  readonly sources: readonly JobSource[];
}

/** What a job is doing, while it runs. */
export interface JobProgress {
  readonly phase: string;
  readonly percent?: number;
  readonly message?: string;
  readonly hostname?: string;
  readonly poolname?: string;
  readonly url?: string;
  /** How many sources the host has to choose from, when the server says so. */
  readonly sourcecount?: number;
  readonly bytes?: number;
  readonly totalbytes?: number;
  readonly bytespersecond?: number;
  readonly etaseconds?: number;
  readonly phasems?: Readonly<Record<string, number>>;
}

export type JobStatus = 'pending' | 'done' | 'failed' | 'cancelled';

/** An answer of queryAsyncJobResult. `answer` is the whole of it, as sent. */
export interface Job {
  readonly jobid: string;
  readonly status: JobStatus;
  /** Set once the job is done. */
  readonly result?: JsonObject;
  readonly errorcode?: number;
  readonly cserrorcode?: number;
  readonly errortext?: string;
  readonly progress?: JobProgress;
  readonly attempts: readonly JobAttempt[];
  readonly answer: JsonObject;
}

const statuses: readonly JobStatus[] = ['pending', 'done', 'failed', 'cancelled'];

/** Reads an answer of queryAsyncJobResult. Servers without `jobprogress` and `jobattempts` have neither here. */
export function decodeJob(answer: JsonObject): Job {
  // a status nobody knows must not be taken for the end of the job
  const status = statuses[numberMember(answer, 'jobstatus') ?? 0] ?? 'pending';
  const result = isJsonObject(answer['jobresult']) ? answer['jobresult'] : undefined;
  const failed = status === 'failed' || status === 'cancelled';
  return {
    jobid: textMember(answer, 'jobid') ?? '',
    status,
    attempts: objectsOf(answer['jobattempts']).map(decodeAttempt),
    answer,
    ...definedMembers({
      result: status === 'done' ? (result ?? {}) : undefined,
      errorcode: failed && result ? numberMember(result, 'errorcode') : undefined,
      cserrorcode: failed && result ? numberMember(result, 'cserrorcode') : undefined,
      errortext: failed && result ? textMember(result, 'errortext') : undefined,
      progress: isJsonObject(answer['jobprogress']) ? decodeProgress(answer['jobprogress']) : undefined,
    }),
  };
}

function decodeProgress(value: JsonObject): JobProgress {
  const phasems = value['phasems'];
  return {
    phase: textMember(value, 'phase') ?? 'running',
    ...definedMembers({
      percent: numberMember(value, 'percent'),
      message: textMember(value, 'message'),
      hostname: textMember(value, 'hostname'),
      poolname: textMember(value, 'poolname'),
      url: textMember(value, 'url'),
      sourcecount: numberMember(value, 'sourcecount'),
      bytes: numberMember(value, 'bytes'),
      totalbytes: numberMember(value, 'totalbytes'),
      bytespersecond: numberMember(value, 'bytespersecond'),
      etaseconds: numberMember(value, 'etaseconds'),
      phasems: isJsonObject(phasems) ? numbersOf(phasems) : undefined,
    }),
  };
}

function decodeAttempt(value: JsonObject): JobAttempt {
  return {
    sources: objectsOf(value['sources']).map(decodeSource),
    ...definedMembers({
      ordinal: numberMember(value, 'ordinal'),
      started: textMember(value, 'started'),
      ended: textMember(value, 'ended'),
      host: textMember(value, 'host'),
      pool: textMember(value, 'pool'),
      state: textMember(value, 'state'),
      reason: textMember(value, 'reason'),
      message: textMember(value, 'message'),
      next: textMember(value, 'next'),
    }),
  };
}

function decodeSource(value: JsonObject): JobSource {
  return {
    url: textMember(value, 'url') ?? '',
    ...definedMembers({
      sourcerank: numberMember(value, 'sourcerank'),
      location: textMember(value, 'location'),
      checksumattempt: numberMember(value, 'checksumattempt'),
      trynumber: numberMember(value, 'trynumber'),
      state: textMember(value, 'state'),
      bytes: numberMember(value, 'bytes'),
      totalbytes: numberMember(value, 'totalbytes'),
      bytespersecond: numberMember(value, 'bytespersecond'),
      durationms: numberMember(value, 'durationms'),
      reason: textMember(value, 'reason'),
      message: textMember(value, 'message'),
      next: textMember(value, 'next'),
    }),
  };
}

function numbersOf(object: JsonObject): Record<string, number> {
  const numbers: Record<string, number> = {};
  for (const key of Object.keys(object)) {
    const value = numberMember(object, key);
    if (value !== undefined) numbers[key] = value;
  }
  return numbers;
}
