import type { FetchPolicy, TransferLimits } from '@millrace/agent-protocol';
import type {
  EngineOptions,
  RateLimiter,
  SlabMemories,
  SpaceLedger,
  TransferPriority,
  TransferRate,
} from '@millrace/image';
import type { ImageEngine } from './image-engine.ts';

/** What all transfers of a host share: memory, the space they have been promised, and the rate they may have. */
export interface Transfers {
  readonly ledger: SpaceLedger;
  /** What the engine is to be given for one transfer. To be disposed of when it has ended. */
  begin(policy: FetchPolicy, priority: TransferPriority): TransferGrant;
  /** From now on, also for what is under way. */
  setLimits(limits: TransferLimits): void;
}

export interface TransferGrant extends Disposable {
  readonly options: Pick<EngineOptions, 'memories' | 'rateLimit' | 'keepPartial'>;
}

/** The transfers of a host whose engine is loaded when it is first used. */
export interface HostTransfers {
  readonly use: () => Promise<Transfers>;
  readonly setLimits: (limits: TransferLimits) => void;
}

export function makeHostTransfers(engine: () => Promise<ImageEngine>): HostTransfers {
  let begun: Promise<Transfers> | undefined;
  let loaded: Transfers | undefined;
  const load = async () => {
    loaded = makeTransfers(await engine());
    return loaded;
  };
  return {
    use: () => {
      begun ??= load();
      return begun;
    },
    // before the first transfer there is nothing to hold back, and each brings the limits of its own moment
    setLimits: (limits) => loaded?.setLimits(limits),
  };
}

export function makeTransfers(engine: ImageEngine): Transfers {
  const memories: SlabMemories = engine.makeSlabMemories();
  const limiter: RateLimiter = engine.makeRateLimiter({ bytesPerSecond: undefined });
  const running = new Set<TransferRate>();
  let known: TransferLimits = {};
  const setLimits = (limits: TransferLimits) => {
    if (known.hostBytesPerSecond !== limits.hostBytesPerSecond) limiter.setRate(limits.hostBytesPerSecond);
    if (known.bytesPerSecond !== limits.bytesPerSecond)
      for (const rate of running) rate.setRate(limits.bytesPerSecond);
    known = limits;
  };
  return {
    ledger: engine.makeSpaceLedger(),
    setLimits,
    begin(policy, priority) {
      const { rateLimitBytesPerSecond: bytesPerSecond, hostRateLimitBytesPerSecond } = policy;
      // the newest message has the newest settings
      setLimits({
        ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
        ...(hostRateLimitBytesPerSecond === undefined
          ? {}
          : { hostBytesPerSecond: hostRateLimitBytesPerSecond }),
      });
      const rateLimit: TransferRate = limiter.forTransfer({
        priority,
        ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
      });
      running.add(rateLimit);
      return {
        // also without a limit now: there may be one before the transfer ends
        options: { memories, keepPartial: true, rateLimit },
        [Symbol.dispose]() {
          running.delete(rateLimit);
          rateLimit[Symbol.dispose]();
        },
      };
    },
  };
}
