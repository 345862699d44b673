import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  ApiCallError,
  type ApiClient,
  type ApiSession,
  isJsonObject,
  login,
  makeApiClient,
  textMember,
} from '@millrace/api-client';
import { readTextIfAny, writePrivateFile } from '../catalogue/private-file.ts';

interface Login {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly domain?: string | undefined;
}

/**
 * A client for a profile that has a password instead of API keys. The session is kept in the state directory, so that not
 * every command logs in; when the server no longer knows it, it is opened anew, once.
 */
export async function makeSessionClient(
  credentials: Login,
  options: { readonly stateDir: string; readonly timeoutMs?: number },
  signal: AbortSignal,
): Promise<ApiClient> {
  const { url, username, password, domain } = credentials;
  const digest = createHash('sha256')
    .update(`${url}\n${domain ?? '/'}\n${username}`)
    .digest('hex');
  const path = join(options.stateDir, 'sessions', `${digest.slice(0, 24)}.json`);
  const timeout = options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs };

  const open = async (loginSignal: AbortSignal): Promise<ApiClient> => {
    const session = await login({
      url,
      username,
      password,
      ...(domain ? { domain } : {}),
      ...timeout,
      signal: loginSignal,
    });
    await writePrivateFile(path, JSON.stringify(session), loginSignal);
    return makeApiClient({ url, session, ...timeout });
  };

  const kept = await readSession(path, signal);
  let client = kept ? makeApiClient({ url, session: kept, ...timeout }) : await open(signal);
  let fresh = kept === undefined;

  const retrying = async <T>(
    work: (current: ApiClient) => Promise<T>,
    workSignal: AbortSignal,
  ): Promise<T> => {
    try {
      return await work(client);
    } catch (error) {
      if (fresh || !(error instanceof ApiCallError) || error.errorcode !== 401) throw error;
      client = await open(workSignal);
      fresh = true;
      return await work(client);
    }
  };
  return {
    url,
    call: (command, params, callOptions) =>
      retrying((current) => current.call(command, params, callOptions), callOptions.signal),
    waitForJob: (jobid, waitOptions) =>
      retrying((current) => current.waitForJob(jobid, waitOptions), waitOptions.signal),
    listApis: (listOptions) => retrying((current) => current.listApis(listOptions), listOptions.signal),
  };
}

/** Forgets every session that was kept: the credentials behind them have changed. */
export async function forgetSessions(stateDir: string): Promise<void> {
  await rm(join(stateDir, 'sessions'), { recursive: true, force: true });
}

async function readSession(path: string, signal: AbortSignal): Promise<ApiSession | undefined> {
  const text = await readTextIfAny(path, signal);
  if (text === undefined) return undefined;
  try {
    const content: unknown = JSON.parse(text);
    if (!isJsonObject(content)) return undefined;
    const sessionKey = textMember(content, 'sessionKey');
    const cookie = textMember(content, 'cookie');
    return sessionKey && cookie ? { sessionKey, cookie } : undefined;
  } catch {
    // a half-written or foreign file: log in again
    return undefined;
  }
}
