import type { capacityFields, EntityOf } from '@millrace/api';
import { type Capacity, capacities } from '../../store/capacity.ts';
import type { Executor } from '../../store/database.ts';
import { readSettings } from '../../store/settings.ts';

/** What CloudStack tells of a whole zone, pod or cluster: the sum over what is in it. */
export async function capacityTeller(executor: Executor) {
  const rows = await capacitiesNow(executor);
  return (uuid: string) => {
    const inside = rows.filter(({ place }) =>
      [place.zoneUuid, place.podUuid, place.clusterUuid].includes(uuid),
    );
    return [...Map.groupBy(inside, (row) => row.type).values()].map((same) => {
      const sum = (of: (row: Capacity) => number) => same.reduce((total, row) => total + of(row), 0);
      const [first] = same;
      return capacityEntity({
        ...first!,
        total: sum((row) => row.total),
        used: sum((row) => row.used),
        allocated: sum((row) => row.allocated),
      });
    });
  };
}

/** What there is and what is in use now, with the over-commitment of now. */
export async function capacitiesNow(executor: Executor): Promise<Capacity[]> {
  const settings = await readSettings(executor);
  return capacities(executor, {
    cpu: settings['cpu.overprovisioning.factor'],
    memory: settings['mem.overprovisioning.factor'],
  });
}

/** The share that is in use, 0 to 1. */
export function usedShare({ used, total }: Capacity): number {
  return total === 0 ? 0 : used / total;
}

export function capacityEntity(row: Capacity): EntityOf<typeof capacityFields> {
  const { place } = row;
  return {
    type: row.type,
    name: row.name,
    capacitytotal: row.total,
    capacityused: row.used,
    capacityallocated: row.allocated,
    percentused: (usedShare(row) * 100).toFixed(2),
    zoneid: place.zoneUuid,
    zonename: place.zoneName,
    podid: place.podUuid,
    podname: place.podName,
    clusterid: place.clusterUuid,
    clustername: place.clusterName,
  };
}
