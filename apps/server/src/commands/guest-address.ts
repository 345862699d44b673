import { ApiError, invalidParameter } from '@millrace/api';
import { freeAddress, ipv4Number, ipv4Text } from '../domain/addresses.ts';
import type { Executor } from '../store/database.ts';
import { takenAddresses } from '../store/network-list.ts';
import { rangesOf } from '../store/networks.ts';
import type { Row } from '../store/schema.ts';

export interface GuestAddress {
  readonly ip: string;
  readonly netmask: string;
  readonly gateway: string;
}

/**
 * The address of a new card in a network, which must be locked: the one asked for, or the first that is free.
 * @param param where it was asked for, for errors
 * @returns undefined in a network without addresses of its own
 * @throws ApiError 431 when the one asked for cannot be had, 533 when all are taken
 */
export async function guestAddressIn(
  executor: Executor,
  network: Row<'networks'>,
  asked: string | undefined,
  param: string,
): Promise<GuestAddress | undefined> {
  const ranges = await rangesOf(executor, network);
  if (ranges.length === 0 && network.guest_type === 'L2') {
    if (asked === undefined) return undefined;
    throw invalidParameter(param, `guests of network ${network.name} find their addresses themselves`);
  }
  const taken = await takenAddresses(executor, network.id);
  if (asked !== undefined) {
    const number = ipv4Number(asked);
    // as the database has it: without zeros in front
    const ip = ipv4Text(number);
    const range = ranges.find(
      (one) => ipv4Number(one.start_ip) <= number && number <= ipv4Number(one.end_ip),
    );
    if (!range) throw invalidParameter(param, `${ip} is no address of network ${network.name}`);
    if (taken.has(ip)) throw invalidParameter(param, `a guest of network ${network.name} has ${ip}`);
    return { ip, netmask: range.netmask, gateway: range.gateway };
  }
  for (const { start_ip, end_ip, netmask, gateway } of ranges) {
    const ip = freeAddress(start_ip, end_ip, taken);
    if (ip !== undefined) return { ip, netmask, gateway };
  }
  throw new ApiError(
    'INSUFFICIENT_CAPACITY_ERROR',
    `network ${network.name} has no free address; expunge instances or use another network`,
  );
}
