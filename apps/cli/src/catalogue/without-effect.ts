import type { ApiParam } from '@millrace/api-client';

/**
 * Whether a parameter is there only because CloudStack has it: the server describes those it refuses or ignores, and
 * those that match nothing, with a reason in brackets at the end.
 */
export function isWithoutEffect(param: ApiParam): boolean {
  return /\((refused|ignored|nothing): .*\)$/s.test(param.description);
}
