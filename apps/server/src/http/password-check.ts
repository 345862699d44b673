import { ApiError } from '@millrace/api';
import type { PasswordCheck } from '../commands/command.ts';
import type { LoginThrottle } from './login-throttle.ts';

export interface PasswordCheckDependencies {
  readonly throttle: LoginThrottle;
  /** Runs one password check after another: each takes 19 MiB and a core. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Whose password is tried: the same for a login and for a change of the password, so that tries add up. */
export function throttleKeyOf(
  domain: { readonly path: string } | { readonly id: number },
  username: string,
): string {
  return `${JSON.stringify(domain)}${username}`.toLowerCase();
}

/** Makes the check of one caller: after too many wrong passwords it looks at no other for a while, and refuses with 429. */
export function makePasswordCheck(
  { throttle, inTurn }: PasswordCheckDependencies,
  tried: { readonly address: string; readonly key: string; readonly what: string },
): PasswordCheck {
  return async (look) => {
    const wait = throttle.waitSeconds(tried.address, tried.key);
    if (wait > 0)
      throw new ApiError('API_LIMIT_EXCEED', `too many ${tried.what}; try again in ${wait} seconds`);
    // counted before the check: tries sent all at once must not all pass the gate
    throttle.failed(tried.address, tried.key);
    const found = await inTurn(look);
    if (found !== undefined) throttle.succeeded(tried.address, tried.key);
    return found;
  };
}
