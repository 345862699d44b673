/** A pool as seen from one host. */
export interface PoolCandidate {
  readonly poolId: number;
  readonly name: string;
  readonly status: string;
  readonly scope: string;
  readonly tags: readonly string[];
  readonly availableBytes: number;
  /** The pool's copy of the template: ready to use, on its way, or not there. */
  readonly template: 'ready' | 'transferring' | 'absent';
}

export interface HostCandidate {
  readonly hostId: number;
  readonly name: string;
  readonly status: string;
  readonly resourceState: string;
  /** Of the host, its cluster, its pod and its zone: all must be `Enabled`. */
  readonly allocationStates: readonly string[];
  readonly arch: string;
  readonly tags?: readonly string[];
  /** Of its cluster, where that has its own. */
  readonly overCommit?: Partial<OverCommit>;
  readonly cpus: number;
  readonly ramBytes: number;
  /** What instances on the host, or on their way to it, may use. */
  readonly usedCpus: number;
  readonly usedRamBytes: number;
  /** Pools that the host can reach. */
  readonly pools: readonly PoolCandidate[];
}

export interface Demand {
  readonly cpus: number;
  readonly ramBytes: number;
  readonly arch: string;
  /** Bytes that the template's source announced: no copy of it is smaller. */
  readonly transferBytes: number | undefined;
  /** The template's virtual size, when a probe saw it. */
  readonly virtualSizeBytes: number | undefined;
  /** Pool tags of the offering. */
  readonly storageTags: readonly string[];
  /** Host tags of the offering. */
  readonly hostTags?: readonly string[];
  /** Only pools of one host will do. */
  readonly localStorage?: boolean;
  /** The only host that will do: asked for by an administrator, or the one that has the instance's disk. */
  readonly onlyHostId?: number | undefined;
  /** The only pool that will do: the one with the instance's disk. */
  readonly onlyPoolId?: number | undefined;
}

export interface OverCommit {
  readonly cpu: number;
  readonly memory: number;
}

/** Why a host was not chosen, in words for the operator. */
export interface LeftOut {
  readonly hostId: number;
  readonly host: string;
  readonly reason: string;
}

export interface Choice {
  readonly hostId: number;
  readonly host: string;
  readonly poolId: number;
  readonly pool: string;
}

export interface Placement {
  /** Best first. */
  readonly suitable: readonly Choice[];
  readonly leftOut: readonly LeftOut[];
}

interface Ranked {
  readonly choice: Choice;
  readonly rank: readonly number[];
}

/**
 * Chooses where an instance may run: hosts that are there, have room, and reach a pool that takes the root disk; first
 * those whose pool holds the template already, then those it is on its way to, then those with the most room.
 * @param tried hosts that this deployment has been at: each is tried at most once
 */
export function placeInstance(
  candidates: readonly HostCandidate[],
  demand: Demand,
  overCommit: OverCommit,
  tried: ReadonlySet<number> = new Set(),
): Placement {
  const suitable: Ranked[] = [];
  const leftOut: LeftOut[] = [];
  for (const host of candidates) {
    const refuse = (reason: string) => leftOut.push({ hostId: host.hostId, host: host.name, reason });
    const problem = tried.has(host.hostId)
      ? 'it has been tried'
      : hostProblem(host, demand, { ...overCommit, ...host.overCommit });
    if (problem !== undefined) {
      refuse(problem);
      continue;
    }
    const problems: string[] = [];
    const pools = host.pools.filter((pool) => {
      const reason = poolProblem(pool, demand);
      if (reason !== undefined) problems.push(`pool ${pool.name}: ${reason}`);
      return reason === undefined;
    });
    if (pools.length === 0) {
      refuse(problems.join('; ') || 'it reaches no storage pool');
      continue;
    }
    for (const pool of pools) suitable.push({ ...ranked(host, pool, demand) });
  }
  suitable.sort((a, b) => compareRanks(a.rank, b.rank));
  // one entry per host: another pool of a host is no other host
  const seen = new Set<number>();
  const best = suitable.filter(({ choice }) => !seen.has(choice.hostId) && seen.add(choice.hostId));
  return { suitable: best.map(({ choice }) => choice), leftOut };
}

function hostProblem(host: HostCandidate, demand: Demand, overCommit: OverCommit): string | undefined {
  if (demand.onlyHostId !== undefined && host.hostId !== demand.onlyHostId)
    return 'another host is asked for';
  if (host.status !== 'Up') return `it is ${host.status}`;
  if (host.resourceState !== 'Enabled') return `its resource state is ${host.resourceState}`;
  const disabled = host.allocationStates.find((state) => state !== 'Enabled');
  if (disabled !== undefined) return `it, or what it belongs to, is ${disabled}`;
  if (host.arch !== demand.arch) return `it is ${host.arch}, the template ${demand.arch}`;
  const missing = demand.hostTags?.find((tag) => !host.tags?.includes(tag));
  if (missing !== undefined) return `it lacks the tag ${missing}`;
  const freeRam = host.ramBytes * overCommit.memory - host.usedRamBytes;
  if (freeRam < demand.ramBytes)
    return `not enough memory: ${mebibytes(freeRam)} MiB free, ${mebibytes(demand.ramBytes)} MiB needed`;
  const freeCpus = host.cpus * overCommit.cpu - host.usedCpus;
  if (freeCpus < demand.cpus) return `not enough CPU: ${freeCpus} free, ${demand.cpus} needed`;
  return undefined;
}

function poolProblem(pool: PoolCandidate, demand: Demand): string | undefined {
  if (demand.onlyPoolId !== undefined && pool.poolId !== demand.onlyPoolId)
    return 'the disk is on another pool';
  if (pool.status !== 'Up') return `it is ${pool.status}`;
  const missing = demand.storageTags.find((tag) => !pool.tags.includes(tag));
  if (missing !== undefined) return `it lacks the tag ${missing}`;
  if (demand.localStorage && pool.scope !== 'HOST')
    return 'it is shared, and the offering wants local storage';
  if (pool.template === 'absent' && (demand.transferBytes ?? 0) > pool.availableBytes)
    return `not enough space: ${pool.availableBytes} bytes free, the image alone has ${demand.transferBytes}`;
  return undefined;
}

/** Compared from the left, smaller is better. */
function ranked(host: HostCandidate, pool: PoolCandidate, demand: Demand): Ranked {
  const copy = { ready: 0, transferring: 1, absent: 2 }[pool.template];
  // thin disks rarely fill: room for the whole of one is a preference, no condition
  const roomy = pool.availableBytes >= (demand.virtualSizeBytes ?? 0) ? 0 : 1;
  const usedMemory = host.ramBytes === 0 ? 1 : host.usedRamBytes / host.ramBytes;
  return {
    choice: { hostId: host.hostId, host: host.name, poolId: pool.poolId, pool: pool.name },
    rank: [copy, roomy, usedMemory, -pool.availableBytes, host.hostId, pool.poolId],
  };
}

function compareRanks(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = value - b[index]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

function mebibytes(bytes: number): number {
  return Math.floor(bytes / 1024 ** 2);
}
