import type { Transfer } from '../transfer/transfer.ts';
import type { OpenImage } from '../types.ts';
import type { Beginning } from './begin.ts';
import type { RoundDeps } from './deps.ts';
import type { Layout } from './layout.ts';
import { resumeIdentity } from './resume.ts';

/**
 * A hidden place for what is transferred while it is still packed: it is gone once it is unpacked, and no decoder can be
 * asked to go on in the middle after a crash. Writing it down costs disk writes, so only a transfer that takes long does:
 * what a quick one loses is fetched again as quickly.
 */
export interface Spool {
  /** What an interrupted fetch had written down, to begin with. */
  readonly store: OpenImage | undefined;
  /** Begins to write down when the transfer turns out to be slow. */
  watch(transfer: Transfer): void;
  /** Gives it up, or leaves what is there for the next fetch. @returns how many bytes were left */
  end(keep: boolean): Promise<number>;
}

/** After this long it is looked whether as much time or more is still ahead. */
const slowAfterMs = 15_000;

/** Packed bytes and the image that comes of them, in packed sizes. */
const roomForImage = 5;

/** `undefined` where nothing could be gone on with: the source sends no parts, or the pool has no place for it. */
export async function openSpool(
  deps: RoundDeps,
  beginning: Beginning,
  layout: Layout,
): Promise<Spool | undefined> {
  const { sink, options } = deps;
  const { inParts, totalBytes } = beginning;
  const identity = inParts ? resumeIdentity(deps, beginning) : undefined;
  const aside = sink.aside?.('packed');
  if (identity === undefined || aside === undefined || totalBytes === undefined) return undefined;
  const file = await aside.open(options.signal, {
    resume: { identity, segmentBytes: layout.segmentBytes },
    sizeBytes: totalBytes,
    neededBytes: 0,
  });
  let timer: NodeJS.Timeout | undefined;
  const begin = async (transfer: Transfer) => {
    // the image must not run out of space for the sake of what is only kept in case
    if (await file.hasRoomFor(totalBytes * roomForImage)) transfer.storeIn(file);
  };
  return {
    store: file.kept.length > 0 ? file : undefined,
    watch(transfer) {
      if (file.kept.length > 0) return;
      const begun = performance.now();
      timer = setInterval(() => {
        const elapsed = performance.now() - begun;
        const done = transfer.segments.doneBytes;
        const left = done > 0 ? ((totalBytes - done) / done) * elapsed : Number.POSITIVE_INFINITY;
        if (elapsed < slowAfterMs || left < slowAfterMs) return;
        clearInterval(timer);
        begin(transfer).catch(() => {});
      }, 1000);
      timer.unref();
    },
    async end(keep) {
      clearInterval(timer);
      if (keep) return await file.suspend();
      await file.abort();
      return 0;
    },
  };
}
