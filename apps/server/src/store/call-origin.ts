import { AsyncLocalStorage } from 'node:async_hooks';

/** The call that is being answered, for the events that tell of it. */
export interface CallOrigin {
  readonly userId: number;
  readonly clientAddress: string;
}

/**
 * Every event of a call bears the address of its caller, whichever of many functions writes it: so it is not handed
 * through all of them, and none can forget it. Jobs run outside of calls.
 */
const current = new AsyncLocalStorage<CallOrigin>();

export function withinCall<T>(origin: CallOrigin, work: () => Promise<T>): Promise<T> {
  return current.run(origin, work);
}

/** The address that a user's call came from, while it is being answered. */
export function addressOfCall(userId: number | undefined): string | undefined {
  const origin = current.getStore();
  return origin && origin.userId === userId && origin.clientAddress !== '' ? origin.clientAddress : undefined;
}
