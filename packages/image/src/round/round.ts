import { availableParallelism } from 'node:os';
import { type Digest, describeError, formatChecksum, orAborted } from '@millrace/core';
import { FetchFailure, FetchFault } from '../errors.ts';
import type { ClusterMap } from '../map/cluster-map.ts';
import { makeMappedStore } from '../map/mapped-store.ts';
import { makeSlabPool } from '../memory/slab-pool.ts';
import { makeTransfer, type Transfer } from '../transfer/transfer.ts';
import type { FetchedImage, OpenImage } from '../types.ts';
import { type DigestEngine, inlineDigestEngine, threadedDigestEngine } from '../verify/digest-engine.ts';
import { type PreparedSignature, prepareMetalinkSignature } from '../verify/metalink-signature.ts';
import { makePieceCheck } from '../verify/piece-check.ts';
import { checkDigest } from '../verify/transfer-digest.ts';
import { type Beginning, begin, type FoundList } from './begin.ts';
import { ArchiveInside, BeginAgain, type RoundDeps, type RoundFacts, type Trying } from './deps.ts';
import { recordFailure, waitBefore } from './failures.ts';
import { inspectAndConvert, type StoredImage } from './inspect-and-convert.ts';
import { type Layout, layoutOf } from './layout.ts';
import { mapAhead } from './read-ahead.ts';
import { resumeIdentity } from './resume.ts';
import { runSources } from './sources.ts';
import { openSpool, type Spool } from './spool.ts';
import { startUnpacking, type Unpacking } from './unpack.ts';

/** Files smaller than this are hashed where they are read: a thread would take longer to start. */
const threadsFromBytes = 16 * 1024 * 1024;

export type RoundResult = { readonly image: FetchedImage } | FoundList | undefined;

/**
 * One way from a first source to a committed image.
 * @returns `undefined` when it failed and the course knows of something else to try
 * @throws FetchFailure when nothing is left to try; the signal's reason when aborted
 */
export async function runRound(deps: RoundDeps): Promise<RoundResult> {
  const { plan, journal, options } = deps;
  const facts: RoundFacts = { digestState: plan.expectedDigest ? 'not-verified' : 'none-expected' };
  const beginning = await begin(deps, facts);
  if (beginning === undefined || !('trying' in beginning)) return beginning;
  const contributors = new Map<number, Trying>([[beginning.trying.spot.rank, beginning.trying]]);
  try {
    return { image: await fillAndCommit(deps, facts, beginning, contributors) };
  } catch (error) {
    if (error instanceof BeginAgain) {
      journal.enterPhase('planning');
      endRunning(contributors, error.cause);
      return undefined;
    }
    if (error instanceof ArchiveInside) {
      deps.notes.archiveInside = true;
      for (const { record } of contributors.values()) record.forget();
      return undefined;
    }
    if (options.signal.aborted || !(error instanceof FetchFault)) {
      endRunning(contributors, error);
      throw error;
    }
    await blame(deps, facts, contributors, error);
    return undefined;
  } finally {
    beginning.opened.close();
  }
}

/** Tries that were under way end with the round, for the reason that ended it. */
function endRunning(contributors: ReadonlyMap<number, Trying>, reason: unknown): void {
  for (const { record } of contributors.values()) {
    if (record.state !== 'running') continue;
    const fault = reason instanceof FetchFault || reason instanceof FetchFailure ? reason : undefined;
    record.fail(
      fault ? { code: fault.code, message: fault.message } : { code: 'CANCELLED', message: 'cancelled' },
      'stop',
    );
  }
}

/** The bytes are wrong, or the place for them is: every source that sent some is told of, one of them decides. */
async function blame(
  deps: RoundDeps,
  facts: RoundFacts,
  contributors: ReadonlyMap<number, Trying>,
  fault: FetchFault,
): Promise<void> {
  const { journal, options } = deps;
  const tries = [...contributors.values()].sort((a, b) => a.spot.rank - b.spot.rank);
  const [first, ...others] = tries;
  if (!first) throw fault;
  const { digestState } = facts;
  for (const { record } of others) {
    if (record.state !== 'running') continue;
    // whoever the image was judged by is asked to answer for it, not those that sent something else
    if (fault.code === 'SOURCES_DIFFER') record.forget();
    else record.fail(fault, 'next-checksum-attempt');
  }
  const failed = { ...first, fault, digestState, resumes: false, bytes: first.record.bytes };
  const decision = recordFailure(deps, failed);
  journal.enterPhase('planning');
  await waitBefore(decision, options.signal);
}

async function fillAndCommit(
  deps: RoundDeps,
  facts: RoundFacts,
  beginning: Beginning,
  contributors: Map<number, Trying>,
): Promise<FetchedImage> {
  const { sink, plan, options } = deps;
  const { totalBytes, compression, inParts } = beginning;
  const plain = compression === 'none';
  const layout = layoutOf(totalBytes, inParts ? plan.pieces : undefined, !plain);
  const signature = await prepareSignature(deps);
  const map = await mapAhead(deps, beginning);
  const identity = inParts && plain && !map ? resumeIdentity(deps, beginning) : undefined;
  const image = await sink.open(options.signal, {
    // only for what is not compressed is the size of the file about the size that will be written
    ...(plain && totalBytes !== undefined ? { sizeBytes: totalBytes } : {}),
    ...(identity === undefined ? {} : { resume: { identity, segmentBytes: layout.segmentBytes } }),
  });
  let spool: Spool | undefined;
  try {
    spool = plain ? undefined : await openSpool(deps, beginning, layout);
    const filling = { facts, beginning, contributors, layout, image, map, spool, signature };
    const fetched = await fill(deps, filling);
    await spool?.end(false);
    return fetched;
  } catch (error) {
    await leave(deps, { image, spool }, error);
    throw error;
  }
}

/** What was fetched may be gone on with later, unless it was the bytes that were at fault. */
async function leave(
  { options, notes }: RoundDeps,
  { image, spool }: { readonly image: OpenImage; readonly spool: Spool | undefined },
  error: unknown,
): Promise<void> {
  const { keepPartial = false, log, signal } = options;
  const interrupted = signal.aborted || (error instanceof FetchFailure && error.failureClass === 'next-host');
  const keep = keepPartial && interrupted;
  try {
    notes.leftBytes = (await spool?.end(keep)) ?? 0;
    if (keep) notes.leftBytes += await image.suspend();
    else await image.abort();
  } catch (left) {
    // a pool that is gone cannot be tidied up either: the reason that counts is the first one
    log.warn({ error: describeError(left) }, 'partial image left');
  }
}

interface Filling {
  readonly facts: RoundFacts;
  readonly beginning: Beginning;
  readonly contributors: Map<number, Trying>;
  readonly layout: Layout;
  readonly image: OpenImage;
  readonly map: ClusterMap | undefined;
  readonly spool: Spool | undefined;
  readonly signature: PreparedSignature | undefined;
}

/** @throws FetchFault when keys are configured and nothing is there that they could verify */
async function prepareSignature({ request, plan }: RoundDeps): Promise<PreparedSignature | undefined> {
  const keys = request.signatureKeys ?? [];
  return keys.length === 0 ? undefined : prepareMetalinkSignature(plan.signature, keys);
}

async function fill(deps: RoundDeps, filling: Filling): Promise<FetchedImage> {
  const { plan, journal, options } = deps;
  const { beginning, layout, image, map, spool, signature } = filling;
  const { compression, totalBytes } = beginning;
  const local = new AbortController();
  const signal = AbortSignal.any([options.signal, local.signal]);
  const { memories } = options;
  using pool = makeSlabPool({ slabBytes: layout.segmentBytes, count: layout.slabs, memories });
  const pieces = plan.piecesSuffice ? layout.pieces : undefined;
  await using digests = digestEngineFor(pool.memory, totalBytes, pieces !== undefined);
  const unpacking = compression === 'none' ? undefined : startUnpacking(deps, compression, { image, signal });
  const transfer = makeTransfer({
    pool,
    digests,
    segmentBytes: layout.segmentBytes,
    sizeBytes: beginning.inParts ? totalBytes : undefined,
    store: unpacking ? spool?.store : map ? makeMappedStore(image, map) : image,
    pieces: layout.pieces && makePieceCheck(layout.pieces, layout.segmentBytes, digests),
    hashes: [
      ...(pieces ? [] : [{ algorithm: plan.expectedDigest?.algorithm ?? 'SHA-256' } as const]),
      ...(signature ? [signature] : []),
    ],
    head: beginning.head,
    feed: unpacking?.feed,
    signal,
  });
  try {
    journal.beginTransfer({ done: transfer.keptBytes, total: totalBytes });
    journal.enterPhase('transferring');
    spool?.watch(transfer);
    const digest = await moveBytes(deps, filling, { transfer, unpacking, signal });
    if (unpacking) await unpacking.finish();
    else image.setSize(map?.virtualSizeBytes ?? transfer.segments.sizeBytes ?? 0);
    const stored = await inspectAndConvert(deps, image, map);
    journal.enterPhase('committing');
    options.signal.throwIfAborted();
    await image.commit(image.sizeBytes);
    return report(deps, filling, { transfer, stored, digest, byPieces: pieces !== undefined });
  } finally {
    local.abort(new Error('the round is over'));
    await unpacking?.stop();
    await transfer.stop();
  }
}

/** Everything up to the last byte, verified. The decoder gets the end of its input only then. */
async function moveBytes(
  deps: RoundDeps,
  { facts, beginning, contributors, signature }: Filling,
  moving: {
    readonly transfer: Transfer;
    readonly unpacking: Unpacking | undefined;
    readonly signal: AbortSignal;
  },
): Promise<Digest> {
  const { plan, journal } = deps;
  const { transfer, unpacking, signal } = moving;
  const local = new AbortController();
  const sourcesSignal = AbortSignal.any([signal, local.signal]);
  const fetching = runSources({ deps, facts, beginning, transfer, contributors, signal: sourcesSignal });
  const finishing = transfer.finish();
  // each is waited for below, or has been overtaken by the failure of another
  fetching.catch(() => {});
  finishing.catch(() => {});
  const unpackingFailed = unpacking ? [unpacking.failed] : [];
  try {
    await Promise.race([fetching, failureOf(finishing), ...unpackingFailed]);
    journal.enterPhase('verifying');
    const digests = [...(await orAborted(Promise.race([finishing, ...unpackingFailed]), signal))];
    const signed = signature ? digests.pop() : undefined;
    const computed = digests[0];
    checkDigest(computed, plan.expectedDigest);
    if (signed) await signature?.verify(signed);
    if (plan.expectedDigest) facts.digestState = 'matched';
    if (unpacking) journal.enterPhase('unpacking');
    const digest = computed ?? plan.expectedDigest;
    if (!digest) throw new Error('without a digest to expect one is computed');
    return digest;
  } finally {
    local.abort(new Error('enough has been fetched'));
    await fetching.catch(() => {});
  }
}

/** Rejects when the promise does, and never resolves. */
function failureOf(promise: Promise<unknown>): Promise<never> {
  return promise.then(() => new Promise<never>(() => {}));
}

function digestEngineFor(
  memory: SharedArrayBuffer,
  totalBytes: number | undefined,
  pieces: boolean,
): DigestEngine {
  if (totalBytes !== undefined && totalBytes < threadsFromBytes) return inlineDigestEngine();
  return threadedDigestEngine(memory, pieces ? Math.min(availableParallelism(), 4) : 1);
}

function report(
  { journal, plan, options }: RoundDeps,
  { contributors, beginning, image }: Filling,
  done: {
    readonly transfer: Transfer;
    readonly stored: StoredImage;
    readonly digest: Digest;
    readonly byPieces: boolean;
  },
): FetchedImage {
  const { transfer, stored, digest, byPieces } = done;
  for (const { record } of contributors.values()) if (record.state === 'running') record.succeed();
  journal.enterPhase('committed');
  const { keptBytes } = transfer;
  options.log.debug({ digest: formatChecksum(digest) }, 'image committed');
  return {
    format: stored.format,
    compression: beginning.compression,
    ...(stored.convertedFrom ? { convertedFrom: stored.convertedFrom } : {}),
    sizeBytes: image.sizeBytes,
    virtualSizeBytes: stored.virtualSizeBytes,
    transferredBytes: (transfer.segments.sizeBytes ?? 0) - keptBytes,
    resumedBytes: keptBytes,
    verifiedBy: byPieces ? 'pieces' : plan.expectedDigest ? 'digest' : 'nothing',
    digest,
    attempts: journal.attempts,
    warnings: [...journal.warnings],
    phaseMs: journal.phaseMs,
  };
}
