import { type ApiDescription, decodeApis } from './api-description.ts';
import type { Job } from './job.ts';
import type { JsonObject } from './json.ts';
import type { ApiSession } from './session.ts';
import { type ApiParams, formOf, signedQuery } from './sign.ts';
import { exchange, longestQuery } from './transport.ts';
import { type WaitOptions, waitForJob } from './wait.ts';

/** Whom to call, and as whom: with API keys, or within a session that `login` opened. */
export type ApiClientOptions = {
  /** Of the API itself: `http://127.0.0.1:8080/client/api`. */
  readonly url: string;
  /** Bound on one call, not on a job. Default 60 s. */
  readonly timeoutMs?: number;
} & (
  | { readonly apiKey: string; readonly secretKey: string; readonly session?: undefined }
  | { readonly session: ApiSession; readonly apiKey?: undefined }
);

export interface CallOptions {
  readonly signal: AbortSignal;
  /** Send the parameters as a form body. By default secrets, user data and long queries go that way, the rest by GET. */
  readonly post?: boolean;
}

export interface ApiClient {
  readonly url: string;
  /**
   * Calls a command. @returns what is inside its envelope: `{count, zone: […]}`, `{jobid, id}`, …
   * @throws ApiCallError when the server refused, ApiConnectionError when there was no usable answer
   */
  call(command: string, params: ApiParams, options: CallOptions): Promise<JsonObject>;
  /**
   * Polls a job until it is done.
   * @throws JobFailedError with every attempt when it failed or was cancelled; the signal's reason when aborted (the job
   * itself goes on)
   */
  waitForJob(jobid: string, options: WaitOptions): Promise<Job>;
  /** Every command that the caller may use. */
  listApis(options: { readonly signal: AbortSignal }): Promise<ApiDescription[]>;
}

/** Parameters that hold, or may hold, a secret: those of URLs and of HTTP headers among the details too. */
const bodyOnly = /password|userdata|secret|certificate|privatekey|^url$|^details\[/i;

/** A client of Millrace's, or any CloudStack-compatible, API. Holds no connection and nothing to close. */
export function makeApiClient(options: ApiClientOptions): ApiClient {
  const { url, timeoutMs = 60_000 } = options;

  const call: ApiClient['call'] = async (command, params, { signal, post }) => {
    const all = { command, ...params };
    const query =
      options.session === undefined
        ? signedQuery(all, options.apiKey, options.secretKey)
        : formOf({ response: 'json', ...all, sessionkey: options.session.sessionKey });
    const secret = Object.entries(params).some(([name, value]) => value !== undefined && bodyOnly.test(name));
    const { body } = await exchange({
      command,
      url,
      query,
      post: post ?? (secret || query.length > longestQuery),
      headers: options.session === undefined ? {} : { cookie: options.session.cookie },
      timeoutMs,
      signal,
    });
    return body;
  };

  return {
    url,
    call,
    waitForJob: (jobid, waitOptions) => waitForJob(call, jobid, waitOptions),
    listApis: async ({ signal }) => decodeApis(await call('listApis', { listall: true }, { signal })),
  };
}
