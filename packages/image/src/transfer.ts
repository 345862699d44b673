import { pipeline } from 'node:stream/promises';
import type { Digest } from '@millrace/core';
import { detectCompression } from './decode/compression.ts';
import { decoders } from './decode/decoder.ts';
import { FetchFault } from './errors.ts';
import type { Situation } from './failure-policy.ts';
import { headBytes, inspectHead } from './inspect/inspect-image.ts';
import type { AttemptRecord, Journal } from './journal.ts';
import type { FetchPlan } from './plan.ts';
import { makeBatchedWriter } from './sink/batched-writer.ts';
import type { OpenedSource } from './source/http-source.ts';
import type { PeekedBody } from './source/peek.ts';
import type { Compression, ImageRequest, OpenImage } from './types.ts';
import { checkDigest, makeTransferDigest } from './verify/transfer-digest.ts';

export interface TransferDeps {
  readonly request: ImageRequest;
  readonly plan: FetchPlan;
  readonly journal: Journal;
  readonly record: AttemptRecord;
  readonly facts: TransferFacts;
  /** Aborted with the first failure, so that no stage waits for another that will not go on. */
  readonly local: AbortController;
  readonly signal: AbortSignal;
}

/** What is known of the bytes, also after a failure. */
export interface TransferFacts {
  digestState: Situation['digest'];
}

export interface Transferred {
  readonly compression: Compression;
  readonly digest: Digest;
  readonly bytes: number;
  /** What went into the image, counted here and not by the image. */
  readonly unpackedBytes: number;
}

/**
 * Streams one source into an image, in one pass: count, hash, unpack, inspect the beginning, write. Backpressure goes
 * from the disk to the socket; memory is a few chunks per stage whatever the size of the image.
 * @throws FetchFault: of the source rather than of what a later stage made of its breaking off
 */
export async function transferInto(
  image: OpenImage,
  opened: OpenedSource,
  peeked: PeekedBody,
  deps: TransferDeps,
): Promise<Transferred> {
  const { signal, local } = deps;
  const compression = detectCompression(peeked.head);
  const digest = makeTransferDigest(deps.plan.expectedDigest?.algorithm ?? 'SHA-256');
  let finished: Digest | undefined;
  let unpackedBytes = 0;
  let blamed: { readonly error: unknown } | undefined;
  const blame = (error: unknown) => {
    blamed ??= { error };
    local.abort(error);
  };

  const source = async function* (): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of countedChunks(opened, peeked, deps)) {
        digest.update(chunk);
        yield chunk;
      }
      deps.journal.enterPhase('verifying');
      finished = digest.finish();
      checkDigest(finished, deps.plan.expectedDigest);
      if (deps.plan.expectedDigest) deps.facts.digestState = 'matched';
      if (compression !== 'none') deps.journal.enterPhase('unpacking');
    } catch (error) {
      blame(error);
      throw error;
    }
  };
  try {
    await pipeline(
      source,
      (input: AsyncIterable<Buffer>) => decoders[compression](input, { signal }),
      async (decoded: AsyncIterable<Buffer>) => {
        try {
          unpackedBytes = await writeInspected(decoded, image, deps);
        } catch (error) {
          // before the loop leaves the stages above it: they may be waiting for bytes that take the whole stall time
          blame(error);
          throw error;
        }
      },
      { signal },
    );
  } catch (error) {
    throw blamed ? blamed.error : error;
  }
  if (finished === undefined) throw new Error('the pipeline ended before its source did');
  return { compression, digest: finished, bytes: deps.record.bytes, unpackedBytes };
}

/** The body's chunks, counted and held against every length that is known. */
async function* countedChunks(
  opened: OpenedSource,
  peeked: PeekedBody,
  { plan, record, request }: TransferDeps,
): AsyncGenerator<Buffer> {
  const expected = plan.expectedBytes ?? opened.lengthBytes;
  for await (const chunk of peeked.chunks()) {
    record.addBytes(chunk.length);
    if (expected !== undefined && record.bytes > expected) {
      throw new FetchFault('LENGTH_TOO_LONG', `more than the ${expected} bytes expected`);
    }
    if (record.bytes > request.limits.maxTransferBytes) throw tooLarge(request);
    yield chunk;
  }
  if (expected !== undefined && record.bytes < expected) {
    throw new FetchFault('LENGTH_TOO_SHORT', `${record.bytes} of ${expected} bytes`);
  }
}

/** @throws FetchFault when the length that is announced shows already that the transfer cannot end well. */
export function checkAnnouncedLength(opened: OpenedSource, plan: FetchPlan, request: ImageRequest): void {
  const { totalBytes } = opened;
  if (totalBytes === undefined) return;
  const { expectedBytes } = plan;
  if (expectedBytes !== undefined && totalBytes !== expectedBytes) {
    const code = totalBytes < expectedBytes ? 'LENGTH_TOO_SHORT' : 'LENGTH_TOO_LONG';
    throw new FetchFault(code, `the source has ${totalBytes} bytes, the metalink says ${expectedBytes}`);
  }
  if (totalBytes > request.limits.maxTransferBytes) throw tooLarge(request, totalBytes);
}

/** Writes what was unpacked and returns how much. Nothing is written before the first 64 KiB were found harmless. */
async function writeInspected(
  decoded: AsyncIterable<Buffer>,
  image: OpenImage,
  { request }: TransferDeps,
): Promise<number> {
  const { maxTransferBytes, maxVirtualSizeBytes } = request.limits;
  const rules = { format: request.format, maxVirtualSizeBytes };
  const writer = makeBatchedWriter(image);
  let held: Buffer[] | undefined = [];
  let unpacked = 0;
  let sizeIsVirtualSize = false;
  const release = async (complete: boolean) => {
    if (!held) return;
    const head = Buffer.concat(held);
    const findings = inspectHead(head, complete || head.length >= headBytes, rules);
    sizeIsVirtualSize = findings?.virtualSizeBytes === undefined;
    held = undefined;
    await writer.write(head);
  };
  for await (const chunk of decoded) {
    unpacked += chunk.length;
    if (unpacked > maxTransferBytes) throw new FetchFault('UNPACKED_TOO_LARGE', `${maxTransferBytes} bytes`);
    if (held) {
      held.push(chunk);
      if (unpacked >= headBytes) await release(false);
    } else await writer.write(chunk);
    if (sizeIsVirtualSize && unpacked > maxVirtualSizeBytes) {
      throw new FetchFault('IMAGE_TOO_LARGE', `more than ${maxVirtualSizeBytes} bytes`);
    }
  }
  await release(true);
  await writer.flush();
  return unpacked;
}

function tooLarge(request: ImageRequest, bytes?: number): FetchFault {
  const limit = `the limit is ${request.limits.maxTransferBytes} bytes`;
  return new FetchFault('TRANSFER_TOO_LARGE', bytes === undefined ? limit : `${bytes} bytes, ${limit}`);
}
