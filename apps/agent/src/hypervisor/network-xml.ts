import type { NetworkDefinition } from '@millrace/agent-protocol';
import { elementsOf, xml } from './xml.ts';

/** A fixed address of one network card in a network's DHCP. */
export interface Reservation {
  readonly mac: string;
  readonly ip: string;
  /** Host name handed to the guest; absent when another card of the network has that name. */
  readonly name?: string | undefined;
}

/**
 * A NAT network with DHCP of its own, or a bridge that is there already
 * (https://libvirt.org/formatnetwork.html).
 */
export function networkXml(network: NetworkDefinition): string {
  if (network.kind === 'bridge')
    return xml`<network>
  <name>${network.name}</name>
  <uuid>${network.uuid}</uuid>
  <forward mode='bridge'/>
  <bridge name='${network.bridge}'/>
</network>
`.xml;
  return xml`<network>
  <name>${network.name}</name>
  <uuid>${network.uuid}</uuid>
  <forward mode='nat'/>
  <bridge name='${network.bridge}' stp='on' delay='0'/>
  <ip address='${network.gateway}' netmask='${network.netmask}'>
    <dhcp><range start='${network.rangeStart}' end='${network.rangeEnd}'/></dhcp>
  </ip>
</network>
`.xml;
}

/** The part of a network that guests depend on, from a definition or from libvirt's own description of it. */
export function addressingOf(source: NetworkDefinition | string): string {
  if (typeof source !== 'string') {
    if (source.kind === 'bridge') return `bridge ${source.bridge}`;
    const { bridge, gateway, netmask, rangeStart, rangeEnd } = source;
    return `bridge ${bridge}, ${gateway}/${netmask}, DHCP ${rangeStart} to ${rangeEnd}`;
  }
  const bridge = elementsOf(source, 'bridge')[0];
  const ip = elementsOf(source, 'ip')[0];
  if (ip === undefined) return `bridge ${bridge?.['name']}`;
  const range = elementsOf(source, 'range')[0];
  return `bridge ${bridge?.['name']}, ${ip?.['address']}/${ip?.['netmask']}, DHCP ${range?.['start']} to ${range?.['end']}`;
}

/** The reservations in libvirt's description of a network. */
export function reservationsOf(networkDescription: string): Reservation[] {
  return elementsOf(networkDescription, 'host').flatMap(({ mac, ip, name }) =>
    mac !== undefined && ip !== undefined ? [{ mac, ip, name }] : [],
  );
}

export interface ReservationChange {
  readonly remove: readonly Reservation[];
  readonly add: Reservation | undefined;
}

/**
 * What has to change for `wanted` to hold. libvirt refuses an entry that shares its MAC, address or name with another:
 * entries with the same card or address are stale and go; a name that another card holds is left to it, and the new
 * entry goes without.
 */
export function reservationChange(
  present: readonly Reservation[],
  wanted: Required<Reservation>,
): ReservationChange {
  const clashing = present.filter((entry) => entry.mac === wanted.mac || entry.ip === wanted.ip);
  const nameTaken = present.some((entry) => !clashing.includes(entry) && entry.name === wanted.name);
  const add: Reservation = nameTaken ? { mac: wanted.mac, ip: wanted.ip } : wanted;
  const [only] = clashing;
  if (clashing.length === 1 && only?.mac === add.mac && only.ip === add.ip && only.name === add.name)
    return { remove: [], add: undefined };
  return { remove: clashing, add };
}

/** A reservation as `virsh net-update … ip-dhcp-host` wants it. */
export function reservationXml(reservation: Reservation): string {
  const name = reservation.name === undefined ? { xml: '' } : xml` name='${reservation.name}'`;
  return xml`<host mac='${reservation.mac}'${name} ip='${reservation.ip}'/>`.xml;
}
