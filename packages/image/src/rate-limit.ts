import { setTimeout as systemSleep } from 'node:timers/promises';
import { makeTokenBucket, type TokenBucket } from './token-bucket.ts';
import type { RateLimit } from './types.ts';

export type TransferPriority = 'deployment' | 'prefetch';

export interface TransferRate extends RateLimit, Disposable {
  /** The rate of this transfer alone, from now on; `undefined`: only the host's counts. */
  setRate(bytesPerSecond: number | undefined): void;
}

export interface RateLimiter {
  /** The rate of all transfers together, from now on; `undefined`: no limit. */
  setRate(bytesPerSecond: number | undefined): void;
  forTransfer(options: {
    readonly bytesPerSecond?: number;
    readonly priority: TransferPriority;
  }): TransferRate;
}

export interface RateLimiterOptions {
  /** Of all transfers together; `undefined`: no limit. */
  readonly bytesPerSecond: number | undefined;
  /** Milliseconds; never goes back. */
  readonly now?: () => number;
  /** Rejects when aborted. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/** What a pre-fetch gets of every byte a deployment gets while both wait: one in twenty of the bytes in all. */
const prefetchShare = 1 / 19;
/**
 * How far a transfer may lag behind the others and still catch up: while it reads what it took, it does not wait for
 * more, and that must not cost it its share. What it missed before that was its own choice.
 */
const catchUpBytes = 1024 * 1024;

interface Take {
  readonly bytes: number;
  readonly settle: () => void;
  readonly refuse: (reason: unknown) => void;
}

interface Transfer {
  readonly bucket: TokenBucket;
  readonly lane: Lane;
  readonly takes: Take[];
  /** What it got, as far as it counts for its share: the one of its lane that got least is next (start-time fair queuing). */
  gotBytes: number;
  /** Set while its own rate, not the host's, makes it wait: it is in no lane then. */
  parked: AbortController | undefined;
}

/** The transfers of one priority. */
interface Lane {
  readonly waiting: Transfer[];
  /** What the transfer that was granted last had got before: those that wait have about as much. */
  gotBytes: number;
}

interface Host {
  readonly bucket: TokenBucket;
  readonly lanes: Readonly<Record<TransferPriority, Lane>>;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<unknown>;
  /** Of what deployments got while pre-fetches waited. Below zero after a chunk that was larger than that. */
  owedToPrefetches: number;
  /** Set while the host's rate makes somebody wait. */
  waking: AbortController | undefined;
}

/**
 * Shares a host's rate among its transfers. The rules:
 * - A transfer never goes faster than its own rate, all of them together never faster than the host's.
 * - Transfers of one priority get the same, however many connections and however large chunks they have; what one does
 *   not use, the others get.
 * - Deployments go before pre-fetches: a pre-fetch gets what they leave, but at least a twentieth of the host's rate, so
 *   that it ends some day. Without a rate of the host nothing is held back, and priorities mean nothing.
 * - Bytes are granted before they are read: after a chunk that was larger than what was due, the next one waits longer.
 * Timers exist only while somebody waits. A take costs nothing without rates, otherwise as much as there are transfers.
 * @throws RangeError for a rate that is not above zero
 */
export function makeRateLimiter(options: RateLimiterOptions): RateLimiter {
  const now = options.now ?? (() => performance.now());
  const host: Host = {
    bucket: makeTokenBucket(options.bytesPerSecond, now),
    lanes: { deployment: { waiting: [], gotBytes: 0 }, prefetch: { waiting: [], gotBytes: 0 } },
    sleep: options.sleep ?? ((ms, signal) => systemSleep(ms, undefined, { signal })),
    owedToPrefetches: 0,
    waking: undefined,
  };
  return {
    setRate(bytesPerSecond) {
      host.bucket.setRate(bytesPerSecond);
      grantWhatIsDue(host);
    },
    forTransfer: ({ bytesPerSecond, priority }) =>
      makeTransferRate(host, {
        bucket: makeTokenBucket(bytesPerSecond, now),
        lane: host.lanes[priority],
        takes: [],
        gotBytes: host.lanes[priority].gotBytes,
        parked: undefined,
      }),
  };
}

const granted = Promise.resolve();

function makeTransferRate(host: Host, transfer: Transfer): TransferRate {
  let over = false;
  return {
    take(bytes, signal) {
      if (signal.aborted) return Promise.reject(signal.reason);
      if (over) return Promise.reject(new Error('the transfer is over'));
      if (host.bucket.isUnlimited() && transfer.bucket.isUnlimited()) return granted;
      return wait(host, transfer, { bytes, signal });
    },
    setRate(bytesPerSecond) {
      transfer.bucket.setRate(bytesPerSecond);
      leave(transfer);
      join(host, transfer);
      grantWhatIsDue(host);
    },
    [Symbol.dispose]() {
      over = true;
      leave(transfer);
      for (const take of transfer.takes.splice(0)) take.refuse(new Error('the transfer is over'));
      grantWhatIsDue(host);
    },
  };
}

function wait(
  host: Host,
  transfer: Transfer,
  { bytes, signal }: { readonly bytes: number; readonly signal: AbortSignal },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = () => {
    transfer.takes.splice(transfer.takes.indexOf(take), 1);
    if (transfer.takes.length === 0) leave(transfer);
    grantWhatIsDue(host);
    reject(signal.reason);
  };
  const take: Take = {
    bytes,
    settle() {
      signal.removeEventListener('abort', onAbort);
      resolve();
    },
    refuse(reason) {
      signal.removeEventListener('abort', onAbort);
      reject(reason);
    },
  };
  signal.addEventListener('abort', onAbort, { once: true });
  transfer.takes.push(take);
  if (transfer.takes.length === 1) join(host, transfer);
  grantWhatIsDue(host);
  return promise;
}

/** Grants takes until the host's rate makes the next one wait, and comes back when it no longer does. */
function grantWhatIsDue(host: Host): void {
  host.waking?.abort();
  host.waking = undefined;
  for (let lane = nextLane(host); lane !== undefined; lane = nextLane(host)) {
    if (!host.bucket.isReady()) {
      host.waking = after(host, host.bucket.waitMs(), () => grantWhatIsDue(host));
      return;
    }
    const transfer = lane.waiting.reduce((least, other) => (other.gotBytes < least.gotBytes ? other : least));
    const take = transfer.takes.shift()!;
    spend(host, transfer, take.bytes);
    leave(transfer);
    join(host, transfer);
    take.settle();
  }
}

function nextLane(host: Host): Lane | undefined {
  const { deployment, prefetch } = host.lanes;
  // what is owed is not saved up while nobody wants it; what was paid in advance stays paid
  if (prefetch.waiting.length === 0) host.owedToPrefetches = Math.min(0, host.owedToPrefetches);
  if (deployment.waiting.length === 0) return prefetch.waiting.length === 0 ? undefined : prefetch;
  return host.owedToPrefetches > 0 ? prefetch : deployment;
}

function spend(host: Host, transfer: Transfer, bytes: number): void {
  const { deployment, prefetch } = host.lanes;
  host.bucket.spend(bytes);
  transfer.bucket.spend(bytes);
  transfer.lane.gotBytes = Math.max(transfer.lane.gotBytes, transfer.gotBytes);
  transfer.gotBytes += bytes;
  if (transfer.lane === deployment) {
    if (prefetch.waiting.length > 0) host.owedToPrefetches += bytes * prefetchShare;
  } else if (deployment.waiting.length > 0) {
    host.owedToPrefetches -= bytes;
  }
}

/** Puts a transfer where it waits: into its lane, or aside until its own rate lets it in. */
function join(host: Host, transfer: Transfer): void {
  if (transfer.takes.length === 0) return;
  if (transfer.bucket.isReady()) {
    transfer.gotBytes = Math.max(transfer.gotBytes, transfer.lane.gotBytes - catchUpBytes);
    transfer.lane.waiting.push(transfer);
    return;
  }
  transfer.parked = after(host, transfer.bucket.waitMs(), () => {
    transfer.parked = undefined;
    join(host, transfer);
    grantWhatIsDue(host);
  });
}

function leave(transfer: Transfer): void {
  const { waiting } = transfer.lane;
  const index = waiting.indexOf(transfer);
  if (index >= 0) waiting.splice(index, 1);
  transfer.parked?.abort();
  transfer.parked = undefined;
}

function after(host: Host, ms: number, act: () => void): AbortController {
  const stop = new AbortController();
  host.sleep(ms, stop.signal).then(
    () => {
      if (!stop.signal.aborted) act();
    },
    () => {
      // it was aborted: nobody waits any more
    },
  );
  return stop;
}
