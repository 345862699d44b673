import { invalidParameter } from '@millrace/api';

const mostVlans = 4094;

/** VLANs as operators write them, `100-199,300`. */
export type VlanRange = readonly (readonly [from: number, to: number])[];

/** @throws ApiError 431 naming `vlan` */
export function parseVlanRange(text: string): VlanRange {
  const ranges = text.split(',').map((part) => {
    const [, from, to = from] = /^\s*(\d{1,4})(?:\s*-\s*(\d{1,4}))?\s*$/.exec(part) ?? [];
    const range = [Number(from), Number(to)] as const;
    if (!(range[0] >= 1 && range[1] <= mostVlans && range[0] <= range[1]))
      throw invalidParameter('vlan', `must be VLANs from 1 to ${mostVlans}, like 100-199 or 100-199,300`);
    return range;
  });
  return ranges;
}

export function isInRange(range: VlanRange, vlan: number): boolean {
  return range.some(([from, to]) => vlan >= from && vlan <= to);
}

/** The lowest VLAN that nobody has; undefined when all are taken. */
export function freeVlan(range: VlanRange, taken: ReadonlySet<number>): number | undefined {
  for (const [from, to] of [...range].sort((a, b) => a[0] - b[0]))
    for (let vlan = from; vlan <= to; vlan++) if (!taken.has(vlan)) return vlan;
  return undefined;
}

/** A VLAN as CloudStack's clients write it: `100`, `vlan://100`, `untagged`. @throws ApiError 431 */
export function readVlan(text: string): number | 'untagged' {
  const bare = text.trim().replace(/^vlan:\/\//i, '');
  if (bare.toLowerCase() === 'untagged') return 'untagged';
  const vlan = /^\d{1,4}$/.test(bare) ? Number(bare) : Number.NaN;
  if (vlan >= 1 && vlan <= mostVlans) return vlan;
  throw invalidParameter('vlan', `must be from 1 to ${mostVlans}, or untagged`);
}
