/** A body whose first bytes have been looked at and are still to be delivered. */
export interface PeekedBody {
  /** At least as many bytes as were asked for, unless the body is shorter. */
  readonly head: Buffer;
  /** The whole body, from its first byte on. To be called once. */
  chunks(): AsyncIterable<Buffer>;
}

export async function peekBody(body: AsyncGenerator<Buffer>, wantedBytes: number): Promise<PeekedBody> {
  const first: Buffer[] = [];
  let size = 0;
  while (size < wantedBytes) {
    const result = await body.next();
    if (result.done) break;
    first.push(result.value);
    size += result.value.length;
  }
  const head = Buffer.concat(first);
  return {
    head,
    async *chunks() {
      if (head.length > 0) yield head;
      yield* body;
    },
  };
}

/** Reads a body up to a bound. `undefined` when there is more. */
export async function readWithin(peeked: PeekedBody, limitBytes: number): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of peeked.chunks()) {
    size += chunk.length;
    if (size > limitBytes) return undefined;
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}
