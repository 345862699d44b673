import { useSyncExternalStore } from 'react';
import { CallFailure, call, isObject, type JsonObject } from './call.ts';

/** A job that was started here. Kept in the browser, so that the tray survives a reload. */
export interface TrayJob {
  readonly jobid: string;
  /** What was asked for, in words. */
  readonly title: string;
  /** Where it is told more of. */
  readonly path: string;
  readonly ended?: 'done' | 'failed';
}

const storageKey = 'millrace-jobs';
/** As many as a page of rows that something was done with at once. */
const mostKept = 200;
const listeners = new Set<() => void>();

/** The tray's jobs, newest first. */
export function useTrayJobs(): readonly TrayJob[] {
  const text = useSyncExternalStore(subscribe, read);
  return decode(text);
}

export function rememberJob(job: TrayJob): void {
  store([job, ...decode(read()).filter(({ jobid }) => jobid !== job.jobid)].slice(0, mostKept));
}

export function markEnded(jobid: string, ended: 'done' | 'failed'): void {
  store(decode(read()).map((job) => (job.jobid === jobid ? { ...job, ended } : job)));
}

const pollMs = 700;

/** Waits for a short job. @returns what it answers @throws CallFailure when it failed */
export async function jobResult(jobid: string): Promise<JsonObject> {
  for (;;) {
    const job = await call('queryAsyncJobResult', { jobid });
    const result = isObject(job['jobresult']) ? job['jobresult'] : {};
    if (job['jobstatus'] === 1) return result;
    if (job['jobstatus'] === 2)
      throw new CallFailure(Number(result['errorcode'] ?? 530), String(result['errortext'] ?? ''));
    await new Promise((go) => setTimeout(go, pollMs));
  }
}

export function forgetEnded(): void {
  store(decode(read()).filter(({ ended }) => ended === undefined));
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  // other tabs of the same browser
  window.addEventListener('storage', listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener('storage', listener);
  };
}

function read(): string {
  return localStorage.getItem(storageKey) ?? '[]';
}

function decode(text: string): TrayJob[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value.filter(isTrayJob) : [];
  } catch {
    return [];
  }
}

function isTrayJob(value: unknown): value is TrayJob {
  return (
    typeof value === 'object' && value !== null && 'jobid' in value && 'title' in value && 'path' in value
  );
}

function store(jobs: readonly TrayJob[]): void {
  localStorage.setItem(storageKey, JSON.stringify(jobs));
  for (const listener of listeners) listener();
}
