import { ApiError } from '@millrace/api';
import { describeError, type Logger, MillraceError } from '@millrace/core';

/**
 * What a caller is told when a host did not do what was asked. The host's own words are for root admins and the log.
 */
export function hostFailure(what: string, error: unknown, log: Logger): ApiError {
  const isTimeout = error instanceof DOMException && error.name === 'TimeoutError';
  const isAway = isTimeout || (error instanceof MillraceError && error.code === 'AGENT_UNAVAILABLE');
  log.warn({ error: describeError(error) }, what);
  const forUsers = isAway
    ? 'its host does not answer now; try again later'
    : 'its host failed; ask the operator, whose log has the reason';
  const reason = isTimeout
    ? 'the host did not answer in time'
    : error instanceof MillraceError
      ? error.message
      : 'the host failed to answer';
  return new ApiError(isAway ? 'RESOURCE_UNAVAILABLE_ERROR' : 'INTERNAL_ERROR', `${what}: ${reason}`, {
    cause: error,
    userText: `${what}: ${forUsers}`,
  });
}
