import { randomBytes, randomUUID } from 'node:crypto';
import { entityNotFound, invalidParameter, isUuid, type ParamsOf, type specs } from '@millrace/api';
import { guestMac, unicastMac } from '../domain/addresses.ts';
import { ipv4Parameter } from '../domain/places.ts';
import type { Executor } from '../store/database.ts';
import { lockNetworks } from '../store/network-list.ts';
import type { NewRow, Row } from '../store/schema.ts';
import { guestAddressIn } from './guest-address.ts';

type Params = Pick<
  ParamsOf<(typeof specs.deployVirtualMachine)['params']>,
  'networkids' | 'ipaddress' | 'macaddress' | 'iptonetworklist'
>;

interface Wish {
  /** Undefined: the default network of the zone. */
  readonly network: string | undefined;
  readonly ip: string | undefined;
  readonly mac: string | undefined;
  /** Who asked for it, for errors. */
  readonly param: 'ipaddress' | 'iptonetworklist';
}

/** A network card that an instance shall have. */
export interface Card extends Omit<Wish, 'network'> {
  readonly network: Row<'networks'>;
}

/**
 * The cards that a deployment asks for, in their order, with their networks locked.
 * @throws ApiError 431 for networks that the account may not use and what does not fit together
 */
export async function cardsOf(
  executor: Executor,
  place: { readonly zoneId: number; readonly accountId: number },
  params: Params,
): Promise<Card[]> {
  const wishes = wishesOf(params);
  const named = wishes.flatMap(({ network }) => network ?? []);
  const param = params.iptonetworklist ? 'iptonetworklist' : 'networkids';
  if (new Set(named).size !== named.length) throw invalidParameter(param, 'names a network twice');
  const rows = await lockNetworks(
    executor,
    place.zoneId,
    place.accountId,
    named.length > 0 ? named : undefined,
  );
  return wishes.map((wish) => {
    const network = wish.network === undefined ? rows[0] : rows.find(({ uuid }) => uuid === wish.network);
    if (network) return { ...wish, network };
    if (wish.network !== undefined) throw entityNotFound(param, wish.network);
    throw invalidParameter('networkids', 'the zone has no default network: name one');
  });
}

function wishesOf(params: Params): Wish[] {
  const { iptonetworklist: list, networkids, ipaddress, macaddress } = params;
  if (list === undefined) {
    const networks = networkids && networkids.length > 0 ? networkids : [undefined];
    const ip = ipv4Parameter('ipaddress', ipaddress);
    const mac = macaddress === undefined ? undefined : unicastMac('macaddress', macaddress);
    // both are of the first card, as CloudStack has it
    return networks.map((network, index) => ({
      ...(index === 0 ? { ip, mac } : { ip: undefined, mac: undefined }),
      network,
      param: 'ipaddress',
    }));
  }
  const other = networkids ? 'networkids' : ipaddress ? 'ipaddress' : macaddress && 'macaddress';
  if (other) throw invalidParameter('iptonetworklist', `does not go with ${other}: it has all of them`);
  return list.map(wishOf);
}

function wishOf(group: Readonly<Record<string, string>>): Wish {
  const refuse = (rule: string) => invalidParameter('iptonetworklist', rule);
  // clients write networkid and networkId
  const { networkid, ip, mac, ...unknown } = Object.fromEntries(
    Object.entries(group).flatMap(([key, value]) => (value === '' ? [] : [[key.toLowerCase(), value]])),
  );
  const [first] = Object.keys(unknown);
  if (first !== undefined) throw refuse(`${first.slice(0, 80)} is not supported; networkid, ip and mac are`);
  const network = networkid?.toLowerCase();
  if (network === undefined || !isUuid(network)) throw refuse('every entry needs networkid, a UUID');
  return {
    network,
    ip: ipv4Parameter('iptonetworklist', ip),
    mac: mac === undefined ? undefined : unicastMac('iptonetworklist', mac),
    param: 'iptonetworklist',
  };
}

/**
 * Writes the cards of a new instance, each with an address where its network has some.
 * @throws ApiError 431 when an address that was asked for cannot be had, 533 when none is free
 */
export async function insertCards(executor: Executor, vmId: number, cards: readonly Card[]): Promise<void> {
  for (const [index, { network, ip, mac, param }] of cards.entries()) {
    const address = await guestAddressIn(executor, network, ip, param);
    const card = {
      uuid: randomUUID(),
      instance_id: vmId,
      network_id: network.id,
      ip4_address: address?.ip ?? null,
      netmask: address?.netmask ?? null,
      gateway: address?.gateway ?? null,
      device_id: index,
      default_nic: index === 0,
    };
    while (!(await insertCard(executor, { ...card, mac_address: mac ?? guestMac(randomBytes(5)) }))) {
      if (mac !== undefined)
        throw invalidParameter(
          param === 'ipaddress' ? 'macaddress' : param,
          `another instance has the card ${mac}`,
        );
    }
  }
}

/** @returns false when another instance has a card with this MAC address, also one that is being made just now */
async function insertCard(executor: Executor, card: NewRow<'nics'>): Promise<boolean> {
  const row = await executor
    .insertInto('nics')
    .values(card)
    .onConflict((conflict) => conflict.column('mac_address').where('removed', 'is', null).doNothing())
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}
