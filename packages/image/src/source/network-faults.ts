import { describeError, hasErrorCode } from '@millrace/core';
import { errors } from 'undici';
import { type FetchErrorCode, FetchFault } from '../errors.ts';

const byErrno: Readonly<Record<string, FetchErrorCode>> = {
  ENOTFOUND: 'HOST_NOT_FOUND',
  EAI_AGAIN: 'HOST_NOT_FOUND',
  ENODATA: 'HOST_NOT_FOUND',
  ECONNREFUSED: 'CONNECT_REFUSED',
  ECONNRESET: 'CONNECTION_RESET',
  EPIPE: 'CONNECTION_RESET',
  ECONNABORTED: 'CONNECTION_RESET',
  ETIMEDOUT: 'CONNECT_TIMEOUT',
  UND_ERR_CONNECT_TIMEOUT: 'CONNECT_TIMEOUT',
  UND_ERR_SOCKET: 'TRANSFER_CUT',
  UND_ERR_HEADERS_OVERFLOW: 'HTTP_UNEXPECTED',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'HTTP_UNEXPECTED',
};

const tlsCodes =
  /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|INVALID_CA|EPROTO$)/;

/**
 * Turns what undici, the sockets under it and OpenSSL throw into a fault of the registry. Faults pass unchanged, also
 * when they are the cause of something undici made of them.
 */
export function networkFault(error: unknown): FetchFault {
  for (const link of chain(error)) {
    if (link instanceof FetchFault) return link;
  }
  for (const link of chain(error)) {
    const code = hasErrorCode(link, ...Object.keys(byErrno)) ? byErrno[codeOf(link)] : undefined;
    if (code) return new FetchFault(code, brief(error), { cause: error });
    if (tlsCodes.test(codeOf(link))) return new FetchFault('TLS_FAILED', brief(error), { cause: error });
    if (link instanceof errors.HTTPParserError) {
      return new FetchFault('HTTP_UNEXPECTED', 'the answer is not HTTP', { cause: error });
    }
  }
  return new FetchFault('NETWORK_UNREACHABLE', brief(error), { cause: error });
}

/** An error, its causes and, for a host with several addresses, the errors of each of them. */
function* chain(error: unknown, depth = 0): Generator<unknown> {
  if (error === undefined || error === null || depth > 6) return;
  yield error;
  if (error instanceof AggregateError) for (const one of error.errors) yield* chain(one, depth + 1);
  if (error instanceof Error) yield* chain(error.cause, depth + 1);
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}

function brief(error: unknown): string {
  const text = error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
  return describeError(text).slice(0, 300);
}
