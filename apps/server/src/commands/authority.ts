import { ApiError } from '@millrace/api';
import { beyond, type RoleRule, rolesByAccountType } from '../domain/role-rules.ts';
import type { Caller } from './command.ts';

/** Whose rights are looked at: an account's or user's row. */
export interface Holder {
  readonly rules: readonly RoleRule[];
  readonly accountType: number;
}

/**
 * Nobody raises their own rights: whoever makes, changes or lets in somebody (or reads the keys of somebody) must be
 * allowed everything that this one is.
 * @throws ApiError 531
 */
export function demandPowerOver(caller: Caller, holder: Holder, what: string): void {
  const role = rolesByAccountType[holder.accountType];
  const command = role === undefined ? 'unknown' : beyond(caller, { role, rules: holder.rules });
  if (command !== undefined)
    throw new ApiError(
      'ACCOUNT_ERROR',
      `you have no permission for ${what}: its role may call ${command}, which yours may not`,
    );
}
