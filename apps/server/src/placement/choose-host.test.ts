import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Demand, type HostCandidate, type PoolCandidate, placeInstance } from './choose-host.ts';

const gibibyte = 1024 ** 3;
const generous = { cpu: 4, memory: 1 };

function pool(changes: Partial<PoolCandidate> = {}): PoolCandidate {
  return {
    poolId: 1,
    name: 'local',
    status: 'Up',
    scope: 'HOST',
    tags: [],
    availableBytes: 50 * gibibyte,
    template: 'absent',
    ...changes,
  };
}

function host(hostId: number, changes: Partial<HostCandidate> = {}): HostCandidate {
  return {
    hostId,
    name: `host-${hostId}`,
    status: 'Up',
    resourceState: 'Enabled',
    allocationStates: ['Enabled', 'Enabled', 'Enabled'],
    arch: 'x86_64',
    cpus: 2,
    ramBytes: 4 * gibibyte,
    usedCpus: 0,
    usedRamBytes: 0,
    pools: [pool({ poolId: hostId })],
    ...changes,
  };
}

const demand: Demand = {
  cpus: 1,
  ramBytes: gibibyte,
  arch: 'x86_64',
  transferBytes: gibibyte,
  virtualSizeBytes: 10 * gibibyte,
  storageTags: [],
};

const refusals: { name: string; host: HostCandidate; demand?: Partial<Demand>; reason: RegExp }[] = [
  { name: 'is not there', host: host(1, { status: 'Disconnected' }), reason: /is Disconnected/ },
  { name: 'is in maintenance', host: host(1, { resourceState: 'Maintenance' }), reason: /Maintenance/ },
  { name: 'is in a disabled zone', host: host(1, { allocationStates: ['Disabled'] }), reason: /Disabled/ },
  { name: 'has another architecture', host: host(1, { arch: 'aarch64' }), reason: /aarch64.*x86_64/ },
  {
    name: 'has no memory left',
    host: host(1, { usedRamBytes: 3.5 * gibibyte }),
    reason: /512 MiB free, 1024 MiB needed/,
  },
  { name: 'has no CPU left', host: host(1, { usedCpus: 8 }), reason: /CPU: 0 free, 1 needed/ },
  { name: 'reaches no pool', host: host(1, { pools: [] }), reason: /no storage pool/ },
  {
    name: 'has a pool that is down',
    host: host(1, { pools: [pool({ status: 'Down' })] }),
    reason: /is Down/,
  },
  {
    name: 'has a pool without room for the image',
    host: host(1, { pools: [pool({ availableBytes: 1000 })] }),
    reason: /1000 bytes free/,
  },
  { name: 'has a pool without the tag', host: host(1), demand: { storageTags: ['ssd'] }, reason: /tag ssd/ },
  {
    name: 'lacks a tag of the offering',
    host: host(1, { tags: ['gold'] }),
    demand: { hostTags: ['gold', 'gpu'] },
    reason: /tag gpu/,
  },
  {
    name: 'is in a cluster that commits less than the cloud',
    host: host(1, { overCommit: { cpu: 0.25 } }),
    reason: /CPU: 0.5 free, 1 needed/,
  },
  {
    name: 'has shared pools only, and local storage is wanted',
    host: host(1, { pools: [pool({ scope: 'ZONE' })] }),
    demand: { localStorage: true },
    reason: /wants local storage/,
  },
  { name: 'is not the one asked for', host: host(1), demand: { onlyHostId: 2 }, reason: /another host/ },
  { name: 'does not have the disk', host: host(1), demand: { onlyPoolId: 7 }, reason: /another pool/ },
];

for (const { name, host: candidate, demand: changes, reason } of refusals) {
  test(`a host that ${name} is left out, and the reason is kept`, () => {
    const placement = placeInstance([candidate], { ...demand, ...changes }, generous);
    assert.deepEqual(placement.suitable, []);
    assert.equal(placement.leftOut.length, 1);
    assert.match(placement.leftOut[0]!.reason, reason);
  });
}

test('a host that was tried is not tried again', () => {
  const placement = placeInstance([host(1), host(2)], demand, generous, new Set([1]));
  assert.deepEqual(
    placement.suitable.map((choice) => choice.hostId),
    [2],
  );
  assert.match(placement.leftOut[0]!.reason, /tried/);
});

test('a pool that holds the template comes before one it is on its way to, and both before an empty one', () => {
  const placement = placeInstance(
    [
      host(1, { pools: [pool({ poolId: 1, template: 'absent', availableBytes: 900 * gibibyte })] }),
      host(2, { pools: [pool({ poolId: 2, template: 'transferring' })] }),
      host(3, { pools: [pool({ poolId: 3, template: 'ready', availableBytes: 5 })], usedRamBytes: gibibyte }),
    ],
    demand,
    generous,
  );
  assert.deepEqual(
    placement.suitable.map((choice) => choice.hostId),
    [3, 2, 1],
  );
});

test('room for the whole disk is preferred but not demanded', () => {
  const placement = placeInstance(
    [
      host(1, { pools: [pool({ poolId: 1, availableBytes: 5 * gibibyte })] }),
      host(2, { pools: [pool({ poolId: 2, availableBytes: 20 * gibibyte })], usedRamBytes: 2 * gibibyte }),
    ],
    demand,
    generous,
  );
  assert.deepEqual(
    placement.suitable.map((choice) => choice.hostId),
    [2, 1],
  );
});

test('among equals the emptier host is first, and each host is named once', () => {
  const placement = placeInstance(
    [
      host(1, { usedRamBytes: gibibyte }),
      host(2, { pools: [pool({ poolId: 2 }), pool({ poolId: 3, availableBytes: 60 * gibibyte })] }),
    ],
    demand,
    generous,
  );
  assert.deepEqual(
    placement.suitable.map(({ hostId, poolId }) => [hostId, poolId]),
    [
      [2, 3],
      [1, 1],
    ],
  );
});

test('over-commitment multiplies what a host has', () => {
  const full = host(1, { usedRamBytes: 4 * gibibyte, usedCpus: 7 });
  assert.equal(placeInstance([full], demand, generous).suitable.length, 0);
  assert.equal(placeInstance([full], demand, { cpu: 4, memory: 2 }).suitable.length, 1);
});

test('an image of unknown size fits anywhere', () => {
  const small = host(1, { pools: [pool({ availableBytes: 1 })] });
  const unknown = { ...demand, transferBytes: undefined, virtualSizeBytes: undefined };
  assert.equal(placeInstance([small], unknown, generous).suitable.length, 1);
});
