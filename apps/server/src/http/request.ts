import type { WireParams } from '@millrace/api';

/** A call of the API, freed from HTTP. */
export interface ApiRequest {
  readonly method: 'GET' | 'POST';
  readonly params: WireParams;
  readonly cookies: Readonly<Record<string, string | undefined>>;
  readonly clientAddress: string;
  /** Scheme, name and port of this server as the client wrote them. */
  readonly origin: string;
  /** The browser's own word on who caused the call (`Sec-Fetch-Site`). */
  readonly fetchSite: string | undefined;
  /** Names the call in logs and in the text of unexpected errors. */
  readonly correlation: string;
  /** Aborts when the client is gone or the server closes. */
  readonly signal: AbortSignal;
}

/** A cookie to set; an empty value removes it. */
export interface ReplyCookie {
  readonly name: string;
  readonly value: string;
}

export interface ApiReply {
  readonly status: number;
  readonly body: Readonly<Record<string, object>>;
  readonly cookies: readonly ReplyCookie[];
}
