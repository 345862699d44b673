import { sleep } from '@millrace/core';
import type { ApiClient } from './client.ts';
import { ApiCallError, ApiConnectionError, JobFailedError } from './errors.ts';
import { decodeJob, type Job } from './job.ts';
import { textMember } from './json.ts';

export interface WaitOptions {
  readonly signal: AbortSignal;
  /** Called with every answer, the last one included. */
  readonly onUpdate?: (job: Job) => void;
  /** Called when a poll failed although the job probably goes on: the server restarts, the network hiccups. */
  readonly onTrouble?: (error: ApiCallError | ApiConnectionError) => void;
  /** Longest pause between polls; the first ones come faster. Default 1000. */
  readonly pollMs?: number;
  /** How long polls may fail in a row before waiting is given up. Default two minutes: a restart fits well. */
  readonly patienceMs?: number;
}

const firstPauseMs = 150;
/** Too many calls, and what servers and proxies say while a server restarts or its database is away. */
const passingCodes: readonly number[] = [429, 500, 502, 503, 504, 530];

/** See ApiClient.waitForJob. */
export async function waitForJob(call: ApiClient['call'], jobid: string, options: WaitOptions): Promise<Job> {
  const { signal, onUpdate, onTrouble, pollMs = 1000, patienceMs = 120_000 } = options;
  let pauseMs = Math.min(firstPauseMs, pollMs);
  let troubleSince: number | undefined;
  for (;;) {
    try {
      const job = decodeJob(await call('queryAsyncJobResult', { jobid }, { signal }));
      troubleSince = undefined;
      onUpdate?.(job);
      if (job.status === 'done') return job;
      if (job.status !== 'pending') throw new JobFailedError(commandOf(job), job);
    } catch (error) {
      // a job outlives its server: only an answer about the job itself ends the wait at once
      if (!isPassing(error)) throw error;
      troubleSince ??= performance.now();
      if (performance.now() - troubleSince > patienceMs) throw error;
      onTrouble?.(error);
    }
    await sleep(pauseMs, signal);
    pauseMs = Math.min(pauseMs * 1.5, pollMs);
  }
}

function isPassing(error: unknown): error is ApiCallError | ApiConnectionError {
  if (error instanceof JobFailedError) return false;
  return (
    error instanceof ApiConnectionError ||
    (error instanceof ApiCallError && passingCodes.includes(error.errorcode))
  );
}

/** `cmd` is a class name on CloudStack, `org.apache….DeployVMCmd`; its last part is what a person wants to read. */
function commandOf(job: Job): string {
  return textMember(job.answer, 'cmd')?.split('.').pop() ?? 'the job';
}
