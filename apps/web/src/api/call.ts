/** The public API over the session's cookie: what the console can do, a script can. */

export type Params = Readonly<Record<string, string | number | boolean | undefined>>;
export type JsonObject = Readonly<Record<string, unknown>>;

/** The server refused a call, or could not be reached. */
export class CallFailure extends Error {
  /** HTTP-like code of the API: 401 no session, 431 a parameter, 530 the server itself. */
  readonly errorcode: number;
  /** Under which the server's log tells of the call; absent when it was not reached. */
  readonly correlation: string | undefined;
  constructor(errorcode: number, text: string, correlation?: string) {
    super(text);
    this.name = 'CallFailure';
    this.errorcode = errorcode;
    this.correlation = correlation;
  }
}

/** Heard by whoever shows the login page. */
export const sessionEnded = 'millrace-session-ended';

/** @throws CallFailure */
export async function call(command: string, params: Params = {}, signal?: AbortSignal): Promise<JsonObject> {
  const body = new URLSearchParams({ command, response: 'json' });
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== '') body.set(name, String(value));
  }
  const { content, correlation } = await send(body, signal);
  const errorcode = content['errorcode'];
  if (typeof errorcode === 'number') {
    if (errorcode === 401 && command !== 'login') window.dispatchEvent(new Event(sessionEnded));
    throw new CallFailure(
      errorcode,
      String(content['errortext'] ?? 'The server gave no reason.'),
      correlation,
    );
  }
  return content;
}

async function send(
  body: URLSearchParams,
  signal: AbortSignal | undefined,
): Promise<{ readonly content: JsonObject; readonly correlation: string | undefined }> {
  let response: Response;
  try {
    response = await fetch('/client/api', { method: 'POST', body, ...(signal ? { signal } : {}) });
  } catch (error) {
    signal?.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    throw new CallFailure(0, `The server cannot be reached (${reason}). It is asked again.`);
  }
  const answer: unknown = await response.json().catch(() => undefined);
  // one member, named after the command, holds everything
  const content = isObject(answer) ? Object.values(answer)[0] : undefined;
  const correlation = response.headers.get('x-correlation-id') ?? undefined;
  if (!isObject(content))
    throw new CallFailure(response.status, `The server answered ${response.status}.`, correlation);
  return { content, correlation };
}

export interface Rows<T> {
  readonly rows: readonly T[];
  /** Of all matches, not of this page. */
  readonly count: number;
}

/** The rows of a list command. Their shape is the command's table of fields, which the server tests every answer against. */
export async function list<T>(command: string, params: Params, signal?: AbortSignal): Promise<Rows<T>> {
  const content = await call(command, params, signal);
  const rows = Object.values(content).find((value) => Array.isArray(value)) ?? [];
  const { count } = content;
  return { rows: rows as readonly T[], count: typeof count === 'number' ? count : rows.length };
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
