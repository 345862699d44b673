import { type Digest, MillraceError } from '@millrace/core';
import { type FetchErrorCode, fetchErrors } from './error-table.ts';
import type { SourceAttempt } from './types.ts';

export { type FetchErrorCode, type FetchErrorRow, fetchErrors, type Outcome } from './error-table.ts';

export function isFetchErrorCode(code: string): code is FetchErrorCode {
  return Object.hasOwn(fetchErrors, code);
}

/** A failure inside the engine, before it is decided what it leads to. */
export class FetchFault extends MillraceError {
  declare readonly code: FetchErrorCode;
  /** How long the source asked to be left alone. */
  readonly retryAfterMs: number | undefined;
  /** Of the bytes received, when all of them arrived and they were not the expected ones. */
  readonly received: Digest | undefined;

  constructor(
    code: FetchErrorCode,
    found: string,
    options: { cause?: unknown; retryAfterMs?: number; received?: Digest } = {},
  ) {
    super(code, found === '' ? fetchErrors[code].summary : `${fetchErrors[code].summary}: ${found}`, {
      ...(options.cause === undefined ? {} : { cause: options.cause }),
    });
    this.name = 'FetchFault';
    this.retryAfterMs = options.retryAfterMs;
    this.received = options.received;
  }
}

/** How a fetch failed in the end. `message` says what happened, why, and what to do next. */
export class FetchFailure extends MillraceError {
  /** `next-host`: another host may succeed. `stop`: none would. */
  readonly failureClass: 'next-host' | 'stop';
  attempts: readonly SourceAttempt[];
  readonly warnings: readonly string[];
  /** Bytes left behind that a further fetch of the same image goes on with. */
  resumableBytes: number | undefined;

  constructor(
    code: FetchErrorCode,
    message: string,
    facts: {
      readonly failureClass: 'next-host' | 'stop';
      readonly attempts: readonly SourceAttempt[];
      readonly warnings: readonly string[];
      readonly cause?: unknown;
    },
  ) {
    super(code, `${message}. Next: ${fetchErrors[code].nextStep}.`, {
      ...(facts.cause === undefined ? {} : { cause: facts.cause }),
    });
    this.name = 'FetchFailure';
    this.failureClass = facts.failureClass;
    this.attempts = facts.attempts;
    this.warnings = facts.warnings;
  }
}
