import { MillraceError } from '@millrace/core';
import type { Job } from './job.ts';

/** Codes of this package's errors. */
export const apiClientErrors = {
  API_CALL_FAILED: 'the server answered with an error; its text says why',
  API_JOB_FAILED: 'the job of an asynchronous call ended without success',
  API_UNREACHABLE: 'no answer came from the server',
  API_ANSWER_UNREADABLE: 'something answered, but not with CloudStack API JSON',
} as const;

/** The server said no: its `errorcode` (also the HTTP status), `cserrorcode` and `errortext`. */
export class ApiCallError extends MillraceError {
  readonly command: string;
  readonly errorcode: number;
  readonly cserrorcode: number | undefined;
  readonly errortext: string;

  constructor(
    command: string,
    answer: { errorcode: number; cserrorcode?: number | undefined; errortext: string },
    code: 'API_CALL_FAILED' | 'API_JOB_FAILED' = 'API_CALL_FAILED',
  ) {
    super(code, `${command} failed: ${answer.errortext} (error ${answer.errorcode})`);
    this.name = 'ApiCallError';
    this.command = command;
    this.errorcode = answer.errorcode;
    this.cserrorcode = answer.cserrorcode;
    this.errortext = answer.errortext;
  }
}

/** A job ended as failed or cancelled; `job` has every attempt it made. */
export class JobFailedError extends ApiCallError {
  readonly job: Job;

  constructor(command: string, job: Job) {
    super(
      command,
      {
        errorcode: job.errorcode ?? 530,
        cserrorcode: job.cserrorcode,
        errortext:
          job.errortext ?? (job.status === 'cancelled' ? 'the job was cancelled' : 'the job gave no reason'),
      },
      'API_JOB_FAILED',
    );
    this.name = 'JobFailedError';
    this.job = job;
  }
}

/** No answer, or none that an API server would give. `url` is redacted. */
export class ApiConnectionError extends MillraceError {
  readonly url: string;

  constructor(
    code: 'API_UNREACHABLE' | 'API_ANSWER_UNREADABLE',
    message: string,
    options: { url: string; cause?: unknown },
  ) {
    super(code, message, { cause: options.cause });
    this.name = 'ApiConnectionError';
    this.url = options.url;
  }
}
