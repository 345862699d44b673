import type { FailureData, SourceAttempt } from '@millrace/agent-protocol';
import { describeError, MillraceError } from '@millrace/core';

/**
 * Why an attempt at a host failed, in a form that is kept in the database: a decision made from it is the same after a
 * takeover as it was before.
 */
export interface Failure {
  readonly code: string;
  readonly message: string;
  /** The agent's own verdict, when it answered. */
  readonly failureClass?: 'next-host' | 'stop' | undefined;
  /** Every try at every source, when the failure ended a transfer. */
  readonly attempts?: readonly SourceAttempt[] | undefined;
}

/** An agent answered with an error, or (`AGENT_UNAVAILABLE`) could not be asked in time. */
export class AgentCallError extends MillraceError {
  readonly failureClass: 'next-host' | 'stop' | undefined;
  readonly attempts: readonly SourceAttempt[] | undefined;

  constructor(code: string, message: string, data?: Partial<FailureData>, options?: { cause?: unknown }) {
    super(code, message, options);
    this.name = 'AgentCallError';
    this.failureClass = data?.failureClass;
    this.attempts = data?.attempts;
  }
}

/**
 * Whoever runs a job lets go of it without ending it: another worker has it, or this server stops. As the reason of an
 * aborted signal it means: stop waiting, but leave what the host is doing alone, since the next worker joins it.
 */
export class Detached extends MillraceError {
  constructor(code: 'LEASE_LOST' | 'SERVER_STOPPING', message: string) {
    super(code, message);
    this.name = 'Detached';
  }
}

export type NextAfterFailure = 'next-host' | 'stop';

export interface FailureDecision {
  readonly next: NextAfterFailure;
  /** Said to the user in addition to the failure itself. */
  readonly explanation?: string;
}

/** Failures that the server itself finds. What an agent reports carries its own class. */
const serverFailures: Readonly<Record<string, NextAfterFailure>> = {
  AGENT_UNAVAILABLE: 'next-host',
  /** The agent answered, but not with a failure of the protocol: its host is sick, the next one need not be. */
  REMOTE_ERROR: 'next-host',
  AGENT_TIMEOUT: 'next-host',
  POOL_UNREACHABLE: 'next-host',
  /** It may run there: another host must not start it too. */
  START_UNCERTAIN: 'stop',
  /** Of one copy; the next one is asked. */
  IMAGE_NOT_SERVED: 'next-host',
  IMAGE_STORE_UNAVAILABLE: 'stop',
  TEMPLATE_DELETED: 'stop',
  TEMPLATE_SOURCE_CHANGED: 'stop',
  /** Pools of other hosts may have the copy, or be free to get it. */
  COPY_BEING_REMOVED: 'next-host',
  VM_STATE_CHANGED: 'stop',
  /** A bug of the server fails the same way on every host. */
  UNEXPECTED: 'stop',
};

/**
 * Where a deployment goes after an attempt at a host failed.
 *
 * @param earlier failures of the same deployment at other hosts. Identical wrong bytes seen by two hosts mean that the
 * sources really hold them: a third host would see them too, so the checksum is blamed.
 */
export function decideAfterFailure(failure: Failure, earlier: readonly Failure[]): FailureDecision {
  const seen = wrongDigests(failure);
  const before = new Set(earlier.flatMap(wrongDigests));
  const common = seen.find((digest) => before.has(digest));
  if (common !== undefined) {
    return {
      next: 'stop',
      explanation: `two hosts received the same bytes (${common}), so the checksum of the registration is most likely wrong: compare it with the publisher's and register the template again`,
    };
  }
  return { next: failure.failureClass ?? serverFailures[failure.code] ?? 'stop' };
}

/** `{ALG}hex` of whole bytes that a host received and that were not the expected ones. */
export function wrongDigests(failure: Failure): string[] {
  const checksums = (failure.attempts ?? []).flatMap(({ checksum }) => (checksum ? [checksum] : []));
  return [...new Set(checksums)];
}

/** Reads anything thrown into a failure. What is no error of Millrace is a bug and stays recognizable as one. */
export function failureOf(error: unknown): Failure {
  if (error instanceof AgentCallError) {
    return {
      code: error.code,
      message: error.message,
      failureClass: error.failureClass,
      attempts: error.attempts,
    };
  }
  if (error instanceof MillraceError) return { code: error.code, message: error.message };
  return { code: 'UNEXPECTED', message: describeError(error) };
}
