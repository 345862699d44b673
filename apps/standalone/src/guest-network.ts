import { isJsonObject, objectsOf, textMember } from '@millrace/api-client';
import { MillraceError, runProgram } from '@millrace/core';

/** A private network for guests behind this machine's address. */
export interface GuestNetwork {
  readonly libvirtName: string;
  readonly bridge: string;
  readonly cidr: string;
  readonly gateway: string;
  readonly netmask: string;
  /** First and last address that DHCP gives away. */
  readonly startIp: string;
  readonly endIp: string;
}

/**
 * Picks a /24 of 10.0.0.0/8 that nothing on this machine uses or has a route to.
 * @throws MillraceError `NO_FREE_NETWORK`
 */
export async function chooseGuestNetwork(instanceId: string, signal: AbortSignal): Promise<GuestNetwork> {
  const [addresses, routes] = await Promise.all([
    runProgram('ip', ['-j', '-4', 'addr'], { signal }),
    runProgram('ip', ['-j', '-4', 'route', 'show', 'table', 'all'], { signal }),
  ]);
  const taken = [...addressRanges(JSON.parse(addresses.stdout)), ...routeRanges(JSON.parse(routes.stdout))];
  return freeNetwork(instanceId, taken);
}

/** A range of IPv4 addresses, both ends included, as numbers. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

/** Starts at a place that the instance's id gives, so that several instances seldom look at the same ranges first. */
export function freeNetwork(instanceId: string, taken: readonly Range[]): GuestNetwork {
  const begin = Number.parseInt(instanceId.slice(0, 4), 16);
  for (let step = 0; step < 65_536; step++) {
    const number = (begin + step) % 65_536;
    const second = number >> 8;
    const third = number & 255;
    // 10.0.x.y and 10.x.0.y are what people type by hand into routers and VPNs
    if (second === 0 || third === 0) continue;
    const first = (10 * 2 ** 24 + number * 256) >>> 0;
    if (taken.some((range) => range.first <= first + 255 && range.last >= first)) continue;
    const prefix = `10.${second}.${third}`;
    return {
      libvirtName: `millrace-${instanceId}`,
      bridge: `mlr${instanceId.slice(0, 6)}`,
      cidr: `${prefix}.0/24`,
      gateway: `${prefix}.1`,
      netmask: '255.255.255.0',
      startIp: `${prefix}.10`,
      endIp: `${prefix}.250`,
    };
  }
  throw new MillraceError('NO_FREE_NETWORK', 'No /24 within 10.0.0.0/8 is free on this machine for guests.');
}

/** From `ip -j addr`. */
export function addressRanges(links: unknown): Range[] {
  return objectsOf(links)
    .flatMap((link) => objectsOf(link['addr_info']))
    .flatMap((address) => rangeOf(`${textMember(address, 'local')}/${textMember(address, 'prefixlen')}`));
}

/** From `ip -j route`; a default route takes nothing. */
export function routeRanges(routes: unknown): Range[] {
  return objectsOf(routes)
    .filter(isJsonObject)
    .map((route) => textMember(route, 'dst') ?? 'default')
    .filter((destination) => destination !== 'default' && destination !== '0.0.0.0/0')
    .flatMap((destination) => rangeOf(destination));
}

function rangeOf(text: string): Range[] {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)(?:\/(\d+))?$/.exec(text);
  if (!match) return [];
  const address = match.slice(1, 5).reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(match[5] ?? 32));
  const first = Math.floor(address / size) * size;
  return [{ first, last: first + size - 1 }];
}
