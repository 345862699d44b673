import type { Capacity } from '../api/entities.ts';
import { text } from '../text/en.ts';
import { formatBytes, formatGibibytes } from '../ui/quantities.ts';

/** CloudStack's numbers of the kinds of capacity that there are here, what they are called, and how their amounts are written. */
const kinds: Readonly<Record<number, { readonly name: string; readonly format: Format }>> = {
  0: { name: text.capacity.memory, format: formatGibibytes },
  1: { name: text.capacity.cpu, format: (mhz) => `${((mhz ?? 0) / 1000).toFixed(1)} GHz` },
  2: { name: text.capacity.storageUsed, format: formatBytes },
  3: { name: text.capacity.storageAllocated, format: formatBytes },
  8: { name: text.capacity.addresses, format: String },
  9: { name: text.capacity.localStorage, format: formatBytes },
};

type Format = (amount: number | undefined) => string;

export function kindOfCapacity({ type, name }: Capacity): {
  readonly name: string;
  readonly format: Format;
} {
  return kinds[type ?? -1] ?? { name: name ?? '', format: String };
}

/** Rows of the same kind added up, in the order of the kinds. */
export function sumByKind(rows: readonly Capacity[]): Capacity[] {
  const groups = Map.groupBy(rows, ({ type }) => type ?? -1);
  return [...groups.entries()]
    .sort(([a], [b]) => a - b)
    .map(([type, same]) => ({
      type,
      name: same[0]?.name,
      capacityused: same.reduce((sum, row) => sum + (row.capacityused ?? 0), 0),
      capacitytotal: same.reduce((sum, row) => sum + (row.capacitytotal ?? 0), 0),
    }));
}
