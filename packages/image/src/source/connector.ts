import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns';
import { isIP } from 'node:net';
import { buildConnector } from 'undici';
import { FetchFault } from '../errors.ts';
import type { AddressCheck } from './egress.ts';

export interface ConnectorOptions {
  readonly addresses: AddressCheck;
  readonly connectTimeoutMs: number;
  /** Certificates to trust besides the system's, PEM. */
  readonly extraCa?: readonly string[];
  /** Resolves names; the system's resolver unless a test says otherwise. */
  readonly lookup?: typeof systemLookup;
}

/**
 * Connects only where the policy allows it. A literal address never reaches a lookup, so it is checked here; a name is
 * checked inside the lookup whose answer is the very one that is connected to, so a name that changes its mind between
 * the check and the connection gains nothing.
 */
export function makeGuardedConnector(options: ConnectorOptions): buildConnector.connector {
  const connect = buildConnector({
    timeout: options.connectTimeoutMs,
    allowH2: false,
    ...guardedOptions(options),
  });
  return (target, callback) => {
    try {
      // the port is empty when it is the scheme's own
      checkTarget(options.addresses, target.hostname, Number(target.port));
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)), null);
      return;
    }
    connect(target, callback);
  };
}

/** @throws FetchFault `EGRESS_REFUSED` for a port, or a literal address, that may not be connected to. */
export function checkTarget(addresses: AddressCheck, hostname: string, port: number): void {
  const literal = hostname.replace(/^\[|\]$/g, '');
  const refusal = addresses.portRefusal(port) ?? (isIP(literal) ? addresses.refusal(literal) : undefined);
  if (refusal !== undefined) throw new FetchFault('EGRESS_REFUSED', refusal);
}

/** What every connection of this engine is made with, through undici or not. */
export function guardedOptions(options: ConnectorOptions) {
  const { addresses } = options;
  const resolve = options.lookup ?? systemLookup;
  return {
    // explicit, since an environment variable could turn verification off for the whole process
    rejectUnauthorized: true,
    ...(options.extraCa ? { ca: [...options.extraCa] } : {}),
    lookup: (hostname: string, lookupOptions: LookupOptions, callback: LookupCallback) => {
      resolve(hostname, { ...lookupOptions, all: true }, (error, found) => {
        if (error) return callback(error, []);
        const list = found as LookupAddress[];
        const allowed = list.filter(({ address }) => addresses.refusal(address) === undefined);
        const first = allowed[0];
        if (first === undefined) return callback(refused(hostname, list, addresses), []);
        if (lookupOptions.all) return callback(null, allowed);
        return callback(null, first.address, first.family);
      });
    },
  };
}

type LookupCallback = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

function refused(hostname: string, list: readonly LookupAddress[], addresses: AddressCheck): Error {
  const reasons = list.slice(0, 3).map(({ address }) => addresses.refusal(address));
  const found = reasons.length === 0 ? 'it has no address' : reasons.join('; ');
  return new FetchFault('EGRESS_REFUSED', `${hostname}: ${found}`);
}
