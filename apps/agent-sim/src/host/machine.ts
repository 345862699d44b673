import type { VmPowerState, VmSpec } from '@millrace/agent-protocol';

/** A domain of a simulated host. */
export interface Machine {
  spec: VmSpec;
  state: Exclude<VmPowerState, 'Missing'>;
  /** Everything that its serial console printed, as far as it is kept. */
  readonly console: ConsoleText;
  /** Aborted when it goes off: what was to happen in the guest happens no more. */
  life: AbortController;
}

/** The end of what a serial console printed, and who listens to it. */
export interface ConsoleText {
  print(text: string): void;
  /** Bytes from `offset` of everything ever printed; what is kept no more is left out. */
  read(offset: number, limit: number): { readonly data: Buffer; readonly nextOffset: number };
  /** @returns what ends it */
  listen(listener: (text: string) => void): () => void;
}

/** Many hosts share one process: a console keeps no more than a few screens. */
const keptBytes = 16 * 1024;

export function makeConsoleText(): ConsoleText {
  const listeners = new Set<(text: string) => void>();
  let kept = Buffer.alloc(0);
  let dropped = 0;
  return {
    print(text) {
      kept = Buffer.concat([kept, Buffer.from(text)]);
      if (kept.length > keptBytes) {
        dropped += kept.length - keptBytes;
        kept = kept.subarray(kept.length - keptBytes);
      }
      for (const listener of listeners) listener(text);
    },
    read(offset, limit) {
      const end = dropped + kept.length;
      // as with a log that was begun anew
      const start = Math.max(dropped, offset > end ? 0 : offset);
      const data = kept.subarray(start - dropped, start - dropped + limit);
      return { data, nextOffset: start + data.length };
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export function makeMachine(spec: VmSpec): Machine {
  return { spec, state: 'Stopped', console: makeConsoleText(), life: new AbortController() };
}
