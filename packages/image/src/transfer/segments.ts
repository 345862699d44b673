import type { Slab } from '../memory/slab-pool.ts';

/**
 * The file cut into segments, and who fetches which. A segment is missing, assigned, arrived (it is in memory) or stored
 * (it can be read back). Pure but for the slabs it hands through.
 */
export interface Segments {
  readonly segmentBytes: number;
  /** `undefined` until it is known. */
  readonly sizeBytes: number | undefined;
  readonly count: number | undefined;
  setSize(bytes: number): void;
  lengthOf(segment: number): number;
  /** The next segment to fetch; one that a much slower source has at last. `undefined`: nothing for this source now. */
  take(taker: Taker): Assignment | undefined;
  /** This very segment, if nobody has it. */
  takeExactly(segment: number, taker: Taker): Assignment | undefined;
  /** The bytes are in the slab. @returns false when another source was faster: then they are not wanted any more */
  arrived(assignment: Assignment): boolean;
  /** The source failed, or its bytes were wrong (`wrong`): the segment is missing again. */
  giveBack(assignment: Assignment, wrong?: boolean): void;
  stored(segment: number): void;
  /** What is stored there is wrong: it is missing again. */
  reject(segment: number): void;
  isStored(segment: number): boolean;
  /** True when wrong bytes were written there: zeros must be written over them too. */
  isDirty(segment: number): boolean;
  /** Bytes of segments that arrived or are stored. */
  readonly doneBytes: number;
  readonly complete: boolean;
  /** Gives the slabs of parts of segments back. */
  clear(): void;
}

export interface Taker {
  readonly source: number;
  /** Bytes per second of one connection to the source; `undefined` while nothing is known of it. */
  readonly rate: number | undefined;
  /** Milliseconds, monotonic. */
  readonly now: number;
  /** Segments from this number on are too far ahead. */
  readonly limit: number;
}

export interface Assignment {
  readonly segment: number;
  readonly source: number;
  readonly startedAt: number;
  /** Bytes that were there when it was assigned: a try that broke off had left them. */
  readonly already: number;
  /** True when those came from another source: if all together are wrong, nobody knows whose fault it is. */
  readonly mixed: boolean;
  /** Bytes at the beginning of the segment that are in the slab. */
  filled: number;
  slab: Slab | undefined;
  /** What to do when another source has been faster. */
  onOvertaken: () => void;
}

const states = { missing: 0, assigned: 1, arrived: 2, stored: 3 } as const;
/** A segment is taken over from a source that would still need this many times as long as the taker needs for all of it. */
const slownessToSteal = 2;
const stealAfterMs = 300;
/** Of a source that has not sent anything yet. */
const presumedRate = 1_000_000;

export function makeSegments(options: {
  readonly segmentBytes: number;
  readonly sizeBytes: number | undefined;
  readonly kept: readonly number[];
}): Segments {
  const { segmentBytes } = options;
  let sizeBytes = options.sizeBytes;
  let state = new Uint8Array(sizeBytes === undefined ? 64 : countOf(sizeBytes, segmentBytes));
  let lowest = 0;
  let doneBytes = 0;
  const assigned = new Map<number, Assignment[]>();
  const parts = new Map<number, { readonly slab: Slab; readonly filled: number; readonly source: number }>();
  const dirty = new Set<number>();

  const count = () => (sizeBytes === undefined ? undefined : countOf(sizeBytes, segmentBytes));
  const lengthOf = (segment: number) =>
    sizeBytes === undefined ? segmentBytes : Math.min(segmentBytes, sizeBytes - segment * segmentBytes);
  const set = (segment: number, to: number) => {
    if (segment >= state.length) {
      const larger = new Uint8Array(Math.max(segment + 1, state.length * 2));
      larger.set(state);
      state = larger;
    }
    state[segment] = to;
  };
  const isDone = (segment: number) => (state[segment] ?? 0) >= states.arrived;

  for (const segment of options.kept) {
    if (segment >= (count() ?? 0)) continue;
    set(segment, states.stored);
    doneBytes += lengthOf(segment);
  }

  const assign = (segment: number, taker: Taker): Assignment => {
    const part = parts.get(segment);
    parts.delete(segment);
    const assignment: Assignment = {
      segment,
      source: taker.source,
      startedAt: taker.now,
      already: part?.filled ?? 0,
      mixed: part !== undefined && part.source !== taker.source,
      filled: part?.filled ?? 0,
      slab: part?.slab,
      onOvertaken: () => {},
    };
    assigned.set(segment, [...(assigned.get(segment) ?? []), assignment]);
    set(segment, states.assigned);
    return assignment;
  };

  const nextMissing = (limit: number): number | undefined => {
    const end = Math.min(limit, count() ?? Number.POSITIVE_INFINITY);
    while (lowest < end && (state[lowest] ?? 0) !== states.missing) lowest += 1;
    return lowest < end ? lowest : undefined;
  };

  const toSteal = ({ source, rate, now, limit }: Taker): number | undefined => {
    let worst: { segment: number; left: number } | undefined;
    for (const [segment, owners] of assigned) {
      // who was overtaken may not have given it back yet
      if (isDone(segment)) continue;
      const [owner, second] = owners;
      if (!owner || second || owner.source === source || segment >= limit) continue;
      const took = now - owner.startedAt;
      if (took < stealAfterMs) continue;
      const length = lengthOf(segment);
      const ownerRate = (owner.filled - owner.already) / took;
      const left = (length - owner.filled) / Math.max(ownerRate, 1e-6);
      const mine = (length / Math.max(1, rate ?? presumedRate)) * 1000;
      if (left > slownessToSteal * mine + stealAfterMs && left > (worst?.left ?? 0))
        worst = { segment, left };
    }
    return worst?.segment;
  };

  const unassign = (assignment: Assignment): readonly Assignment[] => {
    const others = (assigned.get(assignment.segment) ?? []).filter((one) => one !== assignment);
    if (others.length > 0) assigned.set(assignment.segment, others);
    else assigned.delete(assignment.segment);
    return others;
  };

  return {
    segmentBytes,
    get sizeBytes() {
      return sizeBytes;
    },
    get count() {
      return count();
    },
    setSize(bytes) {
      sizeBytes = bytes;
    },
    lengthOf,
    take(taker) {
      const segment = nextMissing(taker.limit) ?? toSteal(taker);
      return segment === undefined ? undefined : assign(segment, taker);
    },
    takeExactly(segment, taker) {
      if ((state[segment] ?? 0) !== states.missing || segment >= taker.limit) return undefined;
      return segment < (count() ?? 0) ? assign(segment, taker) : undefined;
    },
    arrived(assignment) {
      const { segment } = assignment;
      const others = unassign(assignment);
      if (isDone(segment)) return false;
      set(segment, states.arrived);
      doneBytes += lengthOf(segment);
      for (const other of others) other.onOvertaken();
      return true;
    },
    giveBack(assignment, wrong = false) {
      const { segment, slab, filled } = assignment;
      const others = unassign(assignment);
      const wanted = !isDone(segment) && others.length === 0;
      if (wanted) {
        set(segment, states.missing);
        lowest = Math.min(lowest, segment);
      }
      assignment.slab = undefined;
      if (!slab) return;
      if (wanted && !wrong && filled > 0)
        parts.set(segment, { slab, filled, source: assignment.mixed ? -1 : assignment.source });
      else slab.release();
    },
    stored(segment) {
      set(segment, states.stored);
    },
    reject(segment) {
      dirty.add(segment);
      doneBytes -= lengthOf(segment);
      set(segment, states.missing);
      lowest = Math.min(lowest, segment);
    },
    isStored: (segment) => state[segment] === states.stored,
    isDirty: (segment) => dirty.has(segment),
    get doneBytes() {
      return doneBytes;
    },
    get complete() {
      return sizeBytes !== undefined && doneBytes === sizeBytes;
    },
    clear() {
      for (const { slab } of parts.values()) slab.release();
      parts.clear();
    },
  };
}

function countOf(sizeBytes: number, segmentBytes: number): number {
  return Math.ceil(sizeBytes / segmentBytes);
}
