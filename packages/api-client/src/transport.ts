import { describeError, hasErrorCode, redactUrl } from '@millrace/core';
import { ApiCallError, ApiConnectionError } from './errors.ts';
import { isJsonObject, type JsonObject, numberMember, textMember } from './json.ts';

export interface ExchangeRequest {
  readonly command: string;
  readonly url: string;
  /** The encoded parameters, signature included. */
  readonly query: string;
  readonly post: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Longer queries go into a form body: proxies in front of servers commonly stop at 8 KiB of header. */
export const longestQuery = 4096;

/**
 * One call over HTTP, unwrapped from its `<command>response` envelope.
 * @throws ApiCallError when the server refused, ApiConnectionError when it did not answer or is no API server; the
 * signal's reason when aborted.
 */
export async function exchange(request: ExchangeRequest): Promise<{ body: JsonObject; headers: Headers }> {
  const { url, query, post } = request;
  const deadline = AbortSignal.timeout(request.timeoutMs);
  try {
    const response = await fetch(post ? url : `${url}${url.includes('?') ? '&' : '?'}${query}`, {
      method: post ? 'POST' : 'GET',
      headers: {
        ...request.headers,
        accept: 'application/json',
        ...(post ? { 'content-type': 'application/x-www-form-urlencoded' } : {}),
      },
      ...(post ? { body: query } : {}),
      // an API server never redirects, and a signature must not travel to where a stranger points
      redirect: 'manual',
      signal: AbortSignal.any([request.signal, deadline]),
    });
    const text = await response.text();
    return { body: unwrap(request.command, url, response, text), headers: response.headers };
  } catch (error) {
    if (request.signal.aborted) throw request.signal.reason;
    if (error instanceof ApiCallError || error instanceof ApiConnectionError) throw error;
    throw new ApiConnectionError('API_UNREACHABLE', unreachableText(request, deadline, error), {
      url: redactUrl(url),
      cause: error,
    });
  }
}

function unreachableText(request: ExchangeRequest, deadline: AbortSignal, error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const why = deadline.aborted
    ? `no answer within ${request.timeoutMs / 1000} s`
    : hasErrorCode(cause, 'ECONNREFUSED')
      ? 'connection refused'
      : describeError(cause);
  return (
    `Cannot reach the API at ${redactUrl(request.url)}: ${why}. ` +
    'Is the server running there, and is the URL right?'
  );
}

function unwrap(command: string, url: string, response: Response, text: string): JsonObject {
  const inner = envelopeOf(text);
  if (inner === undefined) {
    const type = response.headers.get('content-type') ?? 'no content type';
    throw new ApiConnectionError(
      'API_ANSWER_UNREADABLE',
      `What answers at ${redactUrl(url)} is not a CloudStack API (HTTP ${response.status}, ${type}). ` +
        'The URL usually ends in /client/api.',
      { url: redactUrl(url) },
    );
  }
  const errorcode = numberMember(inner, 'errorcode');
  if (errorcode !== undefined || !response.ok) {
    throw new ApiCallError(command, {
      errorcode: errorcode ?? response.status,
      cserrorcode: numberMember(inner, 'cserrorcode'),
      errortext: textMember(inner, 'errortext') ?? `HTTP ${response.status}`,
    });
  }
  return inner;
}

/** The value under the one key that ends in `response`; `undefined` when the text is anything else. */
function envelopeOf(text: string): JsonObject | undefined {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(body)) return undefined;
  const key = Object.keys(body).find((name) => name.endsWith('response'));
  const inner = key === undefined ? undefined : body[key];
  return isJsonObject(inner) ? inner : undefined;
}
