import type { Executor } from '../store/database.ts';
import { type EventType, recordEvent } from '../store/events.ts';
import type { Caller } from './command.ts';

/** Kinds of things of networks, as events name them: CloudStack's types begin with these words. */
const resourceTypes = {
  NETWORK: 'Network',
  'PHYSICAL.NETWORK': 'PhysicalNetwork',
  'TRAFFIC.TYPE': 'PhysicalNetworkTrafficType',
  'NETWORK.OFFERING': 'NetworkOffering',
  'VLAN.IP.RANGE': 'VlanIpRange',
} as const;
type Kind = keyof typeof resourceTypes;

interface NetworkChange<K extends Kind> {
  readonly kind: K;
  readonly type: Extract<EventType, `${K}.${'CREATE' | 'UPDATE' | 'EDIT' | 'DELETE'}`>;
  readonly description: string;
  readonly uuid: string;
}

/** Who changed what of networks. */
export async function noteNetworkChange<K extends Kind>(
  trx: Executor,
  caller: Caller,
  { kind, type, description, uuid }: NetworkChange<K>,
): Promise<void> {
  await recordEvent(trx, {
    type,
    description,
    userId: caller.userId,
    accountId: caller.accountId,
    resourceType: resourceTypes[kind],
    resourceUuid: uuid,
  });
}
