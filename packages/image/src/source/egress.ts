import { BlockList, isIP } from 'node:net';
import { FetchFault } from '../errors.ts';
import type { EgressPolicy } from '../types.ts';

/** Decides by address and port alone; names are resolved first and every address of them is asked about. */
export interface AddressCheck {
  /** The reason for a refusal; `undefined` when the address may be connected to. */
  refusal(address: string): string | undefined;
  /** The same for a port, whatever the address. */
  portRefusal(port: number): string | undefined;
}

/** Ports of protocols that a request could be mistaken for (the Fetch standard's "bad ports"). */
const portsOfOthers: ReadonlySet<number> = new Set([
  1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
  109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
  526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
  3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
]);

/** Ranges that are not the public internet (IANA special-purpose registries), and what each of them is. */
const blockedRanges: readonly (readonly [cidr: string, what: string])[] = [
  ['0.0.0.0/8', 'unspecified'],
  ['10.0.0.0/8', 'private'],
  ['100.64.0.0/10', 'carrier-grade NAT'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local, where clouds keep their metadata'],
  ['172.16.0.0/12', 'private'],
  ['192.0.0.0/24', 'reserved for protocols'],
  ['192.0.2.0/24', 'documentation'],
  ['192.88.99.0/24', '6to4 relay'],
  ['192.168.0.0/16', 'private'],
  ['198.18.0.0/15', 'benchmarking'],
  ['198.51.100.0/24', 'documentation'],
  ['203.0.113.0/24', 'documentation'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved or broadcast'],
  ['::/96', 'unspecified, loopback or IPv4-compatible'],
  ['64:ff9b::/96', 'NAT64, which leads to any IPv4 address'],
  ['64:ff9b:1::/48', 'local NAT64'],
  ['::/8', 'reserved, translated IPv4 addresses among them'],
  ['100::/64', 'discard-only'],
  ['2001::/23', 'reserved for protocols, Teredo among them'],
  ['2001:db8::/32', 'documentation'],
  ['2002::/16', '6to4, which leads to any IPv4 address'],
  ['3fff::/20', 'documentation'],
  ['5f00::/16', 'segment routing'],
  ['fc00::/7', 'unique local'],
  ['fe80::/10', 'link-local'],
  ['fec0::/10', 'site-local'],
  ['ff00::/8', 'multicast'],
];

/**
 * Makes the check of a policy. Without a policy everything is allowed.
 * @throws FetchFault `REQUEST_MALFORMED` for an allowed CIDR that is none.
 */
export function makeAddressCheck(policy: EgressPolicy | undefined): AddressCheck {
  if (policy === undefined) return { refusal: () => undefined, portRefusal: () => undefined };
  const allowed = policy.allowedCidrs.map((cidr) => networkOf(cidr));
  const blocked = blockedRanges.map(([cidr, what]) => ({ cidr, what, contains: networkOf(cidr) }));
  return {
    refusal(address) {
      const plain = unmapped(address);
      const family = familyOf(plain);
      if (family === undefined) return `${address} is no IP address`;
      if (allowed.some((contains) => contains(plain, family))) return undefined;
      const hit = blocked.find(({ contains }) => contains(plain, family));
      return hit && `${address} is in ${hit.cidr} (${hit.what})`;
    },
    portRefusal: (port) =>
      portsOfOthers.has(port) ? `port ${port} belongs to a protocol other than HTTP` : undefined,
  };
}

/**
 * `::ffff:127.0.0.1` and `::ffff:7f00:1` are 127.0.0.1 on the wire and must be judged as such. A zone (`%eth0`) does not
 * belong to the address.
 */
function unmapped(address: string): string {
  const bare = address.replace(/^\[|\]$/g, '').replace(/%.*$/, '');
  if (isIP(bare) !== 6) return bare;
  // URL normalises every spelling of an IPv6 address to the shortest one
  const canonical = new URL(`http://[${bare}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (!mapped) return canonical;
  const high = Number.parseInt(mapped[1]!, 16);
  const low = Number.parseInt(mapped[2]!, 16);
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

type Family = 'ipv4' | 'ipv6';

function familyOf(address: string): Family | undefined {
  const version = isIP(address);
  return version === 4 ? 'ipv4' : version === 6 ? 'ipv6' : undefined;
}

/** Tells whether an address is in a network. `BlockList` alone counts IPv4 addresses as parts of `::/0` and the like. */
function networkOf(cidr: string): (address: string, family: Family) => boolean {
  const [address = '', prefixText, ...rest] = cidr.trim().split('/');
  const own = familyOf(address);
  const bits = own === 'ipv4' ? 32 : 128;
  const prefix = prefixText === undefined ? bits : /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : -1;
  if (own === undefined || rest.length > 0 || prefix < 0 || prefix > bits) {
    throw new FetchFault('REQUEST_MALFORMED', `${JSON.stringify(cidr)} is not a network like 10.1.0.0/16`);
  }
  const list = new BlockList();
  list.addSubnet(address, prefix, own);
  return (candidate, family) => family === own && list.check(candidate, family);
}
