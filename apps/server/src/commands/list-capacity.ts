import { specs } from '@millrace/api';
import { type Capacity, capacities } from '../store/capacity.ts';
import type { Executor } from '../store/database.ts';
import { readSettings } from '../store/settings.ts';
import { implement } from './command.ts';
import { pagedOf } from './page.ts';

export const listCapacity = implement(specs.listCapacity, async ({ params, database }) => {
  const { type, zoneid, podid, clusterid, sortby, keyword } = params;
  const rows = await capacitiesNow(database);
  const wanted = rows
    .filter((row) => type === undefined || row.type === type)
    .filter(({ place }) => zoneid === undefined || place.zoneUuid === zoneid)
    .filter(({ place }) => podid === undefined || place.podUuid === podid)
    .filter(({ place }) => clusterid === undefined || place.clusterUuid === clusterid)
    .filter(({ name }) => keyword === undefined || name.includes(keyword.toUpperCase()));
  if (sortby?.toLowerCase() === 'usage') wanted.sort((a, b) => share(b) - share(a));
  return pagedOf(database, wanted.map(capacityEntity), params);
});

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

async function capacitiesNow(executor: Executor): Promise<Capacity[]> {
  const settings = await readSettings(executor);
  return capacities(executor, {
    cpu: settings['cpu.overprovisioning.factor'],
    memory: settings['mem.overprovisioning.factor'],
  });
}

function share({ used, total }: Capacity): number {
  return total === 0 ? 0 : used / total;
}

function capacityEntity(row: Capacity) {
  const { place } = row;
  return {
    type: row.type,
    name: row.name,
    capacitytotal: row.total,
    capacityused: row.used,
    capacityallocated: row.allocated,
    percentused: (share(row) * 100).toFixed(2),
    zoneid: place.zoneUuid,
    zonename: place.zoneName,
    podid: place.podUuid,
    podname: place.podName,
    clusterid: place.clusterUuid,
    clustername: place.clusterName,
  };
}
