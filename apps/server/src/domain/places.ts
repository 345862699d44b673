import { invalidParameter } from '@millrace/api';
import { ipv4Number } from './addresses.ts';

export type AllocationState = 'Enabled' | 'Disabled';

/** @throws ApiError 431 */
export function allocationState(text: string | undefined): AllocationState | undefined {
  if (text === undefined) return undefined;
  const state = (['Enabled', 'Disabled'] as const).find((word) => word.toLowerCase() === text.toLowerCase());
  if (state) return state;
  throw invalidParameter('allocationstate', 'must be Enabled or Disabled');
}

/** @throws ApiError 431 */
export function ipv4Parameter(name: string, text: string): string;
export function ipv4Parameter(name: string, text: string | undefined): string | undefined;
export function ipv4Parameter(name: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    ipv4Number(text);
    return text;
  } catch {
    throw invalidParameter(name, 'must be an IPv4 address');
  }
}

export interface Subnet {
  readonly gateway: string;
  readonly netmask: string;
  readonly startIp: string | undefined;
  readonly endIp: string | undefined;
}

/** How many leading bits a netmask has. @throws ApiError 431 */
export function prefixLength(netmask: string): number {
  const number = ipv4Number(ipv4Parameter('netmask', netmask));
  const bits = number.toString(2).padStart(32, '0');
  if (/^1{8,30}0*$/.test(bits)) return bits.indexOf('0');
  throw invalidParameter('netmask', 'must be the netmask of a /8 to /30, like 255.255.255.0');
}

/** The network that a gateway is in, `10.1.2.0/24`. */
export function cidrOf(gateway: string, netmask: string): string {
  const bits = prefixLength(netmask);
  const size = 2 ** (32 - bits);
  const first = Math.floor(ipv4Number(gateway) / size) * size;
  return `${[24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join('.')}/${bits}`;
}

/** Whether a range of addresses fits its gateway and netmask. @throws ApiError 431 naming the parameter */
export function demandSubnet({ gateway, netmask, startIp, endIp }: Subnet): void {
  const size = 2 ** (32 - prefixLength(netmask));
  const first = Math.floor(ipv4Number(ipv4Parameter('gateway', gateway)) / size) * size;
  const last = first + size - 1;
  const inside = (name: string, text: string) => {
    const number = ipv4Number(ipv4Parameter(name, text));
    if (number <= first || number >= last)
      throw invalidParameter(name, `must be an address of hosts in ${cidrOf(gateway, netmask)}`);
    return number;
  };
  const own = inside('gateway', gateway);
  if (startIp === undefined && endIp === undefined) return;
  if (startIp === undefined) throw invalidParameter('startip', 'must be given together with endip');
  const [from, to] = [inside('startip', startIp), inside('endip', endIp ?? startIp)];
  if (from > to) throw invalidParameter('endip', 'must not be before startip');
  if (own >= from && own <= to) throw invalidParameter('gateway', 'must not be between startip and endip');
}
