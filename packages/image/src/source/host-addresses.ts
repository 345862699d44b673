import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { connect, isIP } from 'node:net';
import { FetchFault } from '../errors.ts';
import type { AddressCheck } from './egress.ts';
import { networkFault } from './network-faults.ts';

export interface ResolveOptions {
  readonly addresses: AddressCheck;
  readonly signal: AbortSignal;
  /** Resolves names; the system's resolver unless a test says otherwise. */
  readonly lookup?: typeof systemLookup;
}

/**
 * The addresses of a host that the egress policy allows, for programs that are given an address instead of a name, so
 * that the checked address is the one connected to.
 * @throws FetchFault `HOST_NOT_FOUND`, `EGRESS_REFUSED`; the signal's reason when aborted.
 */
export async function allowedAddresses(host: string, options: ResolveOptions): Promise<string[]> {
  const { addresses, signal } = options;
  signal.throwIfAborted();
  const found = isIP(host) ? [host] : await resolve(host, options);
  const allowed = found.filter((address) => addresses.refusal(address) === undefined);
  if (allowed.length > 0) return allowed;
  const reasons = found.slice(0, 3).map((address) => addresses.refusal(address));
  throw new FetchFault(
    'EGRESS_REFUSED',
    reasons.length === 0 ? `${host} has no address` : reasons.join('; '),
  );
}

async function resolve(host: string, options: ResolveOptions): Promise<string[]> {
  const { promise, resolve: settle, reject } = Promise.withResolvers<string[]>();
  const onAbort = () => reject(options.signal.reason);
  options.signal.addEventListener('abort', onAbort, { once: true });
  (options.lookup ?? systemLookup)(host, { all: true }, (error, found) => {
    if (error) reject(networkFault(error));
    else settle((found as LookupAddress[]).map(({ address }) => address));
  });
  try {
    return await promise;
  } finally {
    options.signal.removeEventListener('abort', onAbort);
  }
}

/**
 * Connects and hangs up: tells a server that is away from one that is slow, which a program's output does not.
 * @throws FetchFault `CONNECT_REFUSED`, `CONNECT_TIMEOUT`, `NETWORK_UNREACHABLE`; the signal's reason when aborted.
 */
export async function checkReachable(
  target: { readonly address: string; readonly port: number },
  options: { readonly connectTimeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  options.signal.throwIfAborted();
  const { promise, resolve: settle, reject } = Promise.withResolvers<void>();
  const socket = connect({ host: target.address, port: target.port });
  const onAbort = () => reject(options.signal.reason);
  options.signal.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(
    () =>
      reject(new FetchFault('CONNECT_TIMEOUT', `${options.connectTimeoutMs / 1000} s, port ${target.port}`)),
    options.connectTimeoutMs,
  );
  socket.once('connect', settle);
  socket.on('error', (error) => reject(networkFault(error)));
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}
