import { invalidParameter } from '@millrace/api';

/** The number of a dotted IPv4 address. @throws RangeError when it is none. */
export function ipv4Number(text: string): number {
  const parts = text.split('.').map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : Number.NaN));
  if (parts.length !== 4 || !parts.every((part) => part <= 255)) {
    throw new RangeError(`${text} is no IPv4 address`);
  }
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

export function ipv4Text(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');
}

/** The first address from `start` to `end` that nobody has; undefined when all are taken. */
export function freeAddress(start: string, end: string, taken: ReadonlySet<string>): string | undefined {
  const last = ipv4Number(end);
  for (let number = ipv4Number(start); number <= last; number++) {
    const address = ipv4Text(number);
    if (!taken.has(address)) return address;
  }
  return undefined;
}

/**
 * A MAC address of the kind CloudStack gives to guests: locally administered, beginning with 06.
 * @param random five random bytes
 */
export function guestMac(random: Uint8Array): string {
  return ['06', ...[...random.slice(0, 5)].map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
}

/**
 * A MAC address that a card can have, in lower case with colons.
 * @throws ApiError 431 for what is none, or one of many cards
 */
export function unicastMac(param: string, text: string): string {
  const mac = text.toLowerCase().replaceAll('-', ':');
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac) || mac === '00:00:00:00:00:00')
    throw invalidParameter(param, 'must be a MAC address, like 06:11:22:33:44:55');
  // libvirt keeps fe for the host's end of a card
  if (Number.parseInt(mac.slice(0, 2), 16) % 2 === 1 || mac.startsWith('fe:'))
    throw invalidParameter(param, 'must be the MAC address of one card: its first byte even, and not fe');
  return mac;
}

/** A host name as RFC 1123 has it, one label: letters, digits and inner hyphens, 63 at most, not digits alone. */
export function isHostName(text: string): boolean {
  return /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(text) && !/^\d+$/.test(text);
}

/** @throws ApiError 431 */
export function demandHostName(param: string, text: string): void {
  if (isHostName(text)) return;
  throw invalidParameter(
    param,
    'must be a host name: 1 to 63 letters, digits and hyphens, beginning and ending with a letter or digit, not digits alone',
  );
}
