/** Hands bytes to whoever reads them as an async iterable: `feed` resolves when the reader has asked for the next ones. */
export interface Feeder {
  readonly chunks: AsyncGenerator<Buffer, void, undefined>;
  feed(bytes: Buffer): Promise<void>;
  end(): void;
  /** Nobody reads any more: what is offered, now or later, has been taken. */
  close(): void;
}

interface Offer {
  readonly bytes: Buffer;
  readonly taken: () => void;
}

export function makeFeeder(): Feeder {
  let offered = Promise.withResolvers<Offer | undefined>();
  let inHand: Offer | undefined;
  let closed = false;
  const close = () => {
    closed = true;
    inHand?.taken();
    offered.promise.then((offer) => offer?.taken());
  };
  async function* read(): AsyncGenerator<Buffer, void, undefined> {
    try {
      while (true) {
        inHand = await offered.promise;
        if (!inHand) return;
        offered = Promise.withResolvers();
        yield inHand.bytes;
        inHand.taken();
      }
    } finally {
      close();
    }
  }
  return {
    chunks: read(),
    feed(bytes) {
      if (closed) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      offered.resolve({ bytes, taken: resolve });
      return promise;
    },
    end: () => offered.resolve(undefined),
    close,
  };
}
