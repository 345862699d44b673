import type { FetchPolicy } from '@millrace/agent-protocol';
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
}

export interface TransferGrant extends Disposable {
  readonly options: Pick<EngineOptions, 'memories' | 'rateLimit' | 'keepPartial'>;
}

export function makeTransfers(engine: ImageEngine): Transfers {
  const memories: SlabMemories = engine.makeSlabMemories();
  const limiter: RateLimiter = engine.makeRateLimiter({ bytesPerSecond: undefined });
  let hostRate: number | undefined;
  return {
    ledger: engine.makeSpaceLedger(),
    begin(policy, priority) {
      const { rateLimitBytesPerSecond: bytesPerSecond, hostRateLimitBytesPerSecond } = policy;
      // the newest message has the newest setting, and it holds for transfers that are under way too
      if (hostRate !== hostRateLimitBytesPerSecond) limiter.setRate(hostRateLimitBytesPerSecond);
      hostRate = hostRateLimitBytesPerSecond;
      const limited = bytesPerSecond !== undefined || hostRate !== undefined;
      const rateLimit: TransferRate = limiter.forTransfer({
        priority,
        ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
      });
      return {
        options: { memories, keepPartial: true, ...(limited ? { rateLimit } : {}) },
        [Symbol.dispose]: () => rateLimit[Symbol.dispose](),
      };
    },
  };
}
