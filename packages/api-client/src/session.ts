import { ApiConnectionError } from './errors.ts';
import { textMember } from './json.ts';
import { formOf } from './sign.ts';
import { exchange } from './transport.ts';

/** What `login` gave: enough to make calls until it expires. Secret. */
export interface ApiSession {
  readonly sessionKey: string;
  /** The Cookie header. */
  readonly cookie: string;
}

/**
 * Logs in with a password, always by POST so that it stands in no access log.
 * @param options.domain a path, `/` for the root domain
 * @throws ApiCallError 531 when user or password are wrong
 */
export async function login(options: {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly domain?: string;
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
}): Promise<ApiSession> {
  const { body, headers } = await exchange({
    command: 'login',
    url: options.url,
    query: formOf({
      command: 'login',
      username: options.username,
      password: options.password,
      domain: options.domain ?? '/',
      response: 'json',
    }),
    post: true,
    headers: {},
    timeoutMs: options.timeoutMs ?? 60_000,
    signal: options.signal,
  });
  const cookies = headers.getSetCookie().map((line) => line.split(';', 1)[0] ?? '');
  const fromCookie = cookies.find((cookie) => cookie.startsWith('sessionkey='))?.slice('sessionkey='.length);
  const sessionKey =
    textMember(body, 'sessionkey') ?? (fromCookie === undefined ? undefined : decodeURIComponent(fromCookie));
  if (!sessionKey) {
    throw new ApiConnectionError(
      'API_ANSWER_UNREADABLE',
      `The server at ${options.url} accepted the login but gave no session key.`,
      { url: options.url },
    );
  }
  return { sessionKey, cookie: cookies.join('; ') };
}
