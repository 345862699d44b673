import { MillraceError } from '@millrace/core';
import { reasonUnserved } from './unserved.ts';

/** CloudStack's error codes (`errorcode`, also the HTTP status) and exception codes (`cserrorcode`). */
export const apiErrors = {
  UNAUTHORIZED: { errorcode: 401, cserrorcode: 4290 },
  METHOD_NOT_ALLOWED: { errorcode: 405, cserrorcode: 9999 },
  API_LIMIT_EXCEED: { errorcode: 429, cserrorcode: 4545 },
  MALFORMED_PARAMETER_ERROR: { errorcode: 430, cserrorcode: 9999 },
  PARAM_ERROR: { errorcode: 431, cserrorcode: 4350 },
  UNSUPPORTED_ACTION_ERROR: { errorcode: 432, cserrorcode: 9999 },
  INTERNAL_ERROR: { errorcode: 530, cserrorcode: 4250 },
  ACCOUNT_ERROR: { errorcode: 531, cserrorcode: 4365 },
  INSUFFICIENT_CAPACITY_ERROR: { errorcode: 533, cserrorcode: 4325 },
  RESOURCE_UNAVAILABLE_ERROR: { errorcode: 534, cserrorcode: 4380 },
  RESOURCE_ALLOCATION_ERROR: { errorcode: 535, cserrorcode: 4370 },
  RESOURCE_IN_USE_ERROR: { errorcode: 536, cserrorcode: 4375 },
} as const;

export type ApiErrorCode = keyof typeof apiErrors;

/** An error whose text is meant for the caller of the API. */
export class ApiError extends MillraceError {
  readonly errorcode: number;
  readonly cserrorcode: number;
  /** What everybody but root admins is told: the names and the inside of hosts are none of a tenant's business. */
  readonly userText: string;

  constructor(code: ApiErrorCode, text: string, options: { cause?: unknown; userText?: string } = {}) {
    super(code, text, options);
    this.name = 'ApiError';
    this.userText = options.userText ?? text;
    this.errorcode = apiErrors[code].errorcode;
    this.cserrorcode = apiErrors[code].cserrorcode;
  }
}

/** 431 for a parameter whose value breaks a rule. */
export function invalidParameter(name: string, rule: string): ApiError {
  return new ApiError('PARAM_ERROR', `Invalid parameter ${name}: ${rule}`);
}

/** 431 in the words that the Go SDK and Terraform recognise as "already gone". */
export function entityNotFound(name: string, id: string): ApiError {
  return new ApiError(
    'PARAM_ERROR',
    `Invalid parameter ${name} value=${id} due to incorrect long value format, or entity does not exist`,
  );
}

/** 431 for a mandatory parameter that is absent. */
export function missingParameter(command: string, name: string): ApiError {
  return new ApiError(
    'PARAM_ERROR',
    `Unable to execute API command ${command.toLowerCase()} due to missing parameter ${name}`,
  );
}

/**
 * 432 for a command that does not exist or that the caller may not call: the two look alike on purpose. For what
 * CloudStack has and Millrace deliberately has not, the reason.
 */
export function unknownCommand(name: string): ApiError {
  const reason = reasonUnserved(name);
  if (reason !== undefined) return new ApiError('UNSUPPORTED_ACTION_ERROR', `There is no ${name}: ${reason}`);
  return new ApiError(
    'UNSUPPORTED_ACTION_ERROR',
    `The given command '${name}' either does not exist, is not available for user, or not available from ip address`,
  );
}
