import { isForgeable } from '@millrace/core';
import {
  looksLikeMetalink,
  type MirrorHeaders,
  metalinkLimitBytes,
  readMirrorHeaders,
} from '@millrace/metalink';
import type { Spot } from '../course.ts';
import { detectCompression } from '../decode/compression.ts';
import { FetchFault } from '../errors.ts';
import { type HeadFindings, headBytes, inspectHead } from '../inspect/inspect-image.ts';
import type { OpenedSource } from '../source/http-source.ts';
import { peekBody, readWithin } from '../source/peek.ts';
import type { Compression, ImageRequest } from '../types.ts';
import type { RoundDeps, RoundFacts, Trying } from './deps.ts';
import { recordFailure, waitBefore } from './failures.ts';
import { checkAnnouncedLength, checkArrived } from './lengths.ts';

/** Enough to judge an image by, and most metalinks; what may turn out to be of no use is no more than this. */
const firstPartBytes = 1024 * 1024;

/** What turned out to be at the URL instead of an image: a list of places that have it. */
export type FoundList = { readonly metalink: Buffer } | { readonly mirrors: MirrorHeaders };

/** A source that answered with the beginning of an image. */
export interface Beginning {
  readonly trying: Trying;
  readonly opened: OpenedSource;
  /** The first bytes: 64 KiB, unless there are fewer. */
  readonly head: Buffer;
  /** The bytes of the answer, from its first one on. To be read once. */
  readonly chunks: () => AsyncIterable<Buffer>;
  readonly compression: Compression;
  /** What the first bytes show, where they are not compressed. */
  readonly findings: HeadFindings | undefined;
  /** Of the whole file; `undefined` when nobody says. */
  readonly totalBytes: number | undefined;
  /** Whether further parts of the same bytes can be asked for. Otherwise this answer is the whole. */
  readonly inParts: boolean;
}

/**
 * Opens the best source and looks at its first bytes.
 * @returns the list instead when it is a metalink, or its server knows of others that have the image; `undefined` when the source failed and another try is to be begun
 */
export async function begin(deps: RoundDeps, facts: RoundFacts): Promise<Beginning | FoundList | undefined> {
  const { course, journal, options } = deps;
  const [spot] = course.startable(new Set());
  if (!spot) throw new Error('a course without a source has ended');
  const record = journal.startAttempt(spot);
  try {
    return await look(deps, { spot, record });
  } catch (error) {
    if (options.signal.aborted) {
      record.fail({ code: 'CANCELLED', message: 'cancelled' }, 'stop');
      throw error;
    }
    if (!(error instanceof FetchFault)) throw error;
    const { digestState } = facts;
    const failed = { spot, record, fault: error, digestState, resumes: false, bytes: record.bytes };
    const decision = recordFailure(deps, failed);
    journal.enterPhase('planning');
    await waitBefore(decision, options.signal);
    return undefined;
  }
}

async function look(deps: RoundDeps, trying: Trying): Promise<Beginning | FoundList> {
  const { plan, request, course, journal } = deps;
  const { spot, record } = trying;
  const whole = course.isStandingBy(spot);
  const opened = await openForPartOrWhole(deps, trying, whole);
  if (!opened) return await look(deps, trying);
  try {
    for (const warning of opened.warnings) journal.warn(warning);
    const peeked = await peekBody(opened.body, headBytes);
    if (looksLikeMetalink(peeked.head)) {
      if (plan.metalink) throw new FetchFault('METALINK_NESTED', '');
      const metalink = await readMetalink(deps, trying, opened, peeked);
      record.forget();
      return { metalink };
    }
    const mirrors = plan.mirrorsKnown ? undefined : mirrorsOf(opened, spot, request);
    if (mirrors) {
      opened.close();
      record.forget();
      return { mirrors };
    }
    checkAnnouncedLength(opened, plan, request);
    const totalBytes = opened.totalBytes ?? plan.expectedBytes;
    const validated = plan.expectedDigest !== undefined || opened.validator !== undefined;
    const inParts = opened.ranged && totalBytes !== undefined && opened.target !== undefined && validated;
    const holdsAll = !opened.ranged || opened.lengthBytes === totalBytes;
    if (!inParts && !holdsAll) {
      // two answers could be about different bytes, and nobody would notice: everything in one, then
      course.standBy(spot);
      opened.close();
      return await look(deps, trying);
    }
    record.setTotal(totalBytes);
    const compression = detectCompression(peeked.head);
    const complete = holdsAll && peeked.head.length < headBytes;
    const findings = compression === 'none' ? inspectPlain(deps, peeked.head, complete) : undefined;
    if (compression === 'none' && findings?.virtualSizeBytes === undefined && totalBytes !== undefined) {
      checkArrived(totalBytes, true, request);
    }
    const head = peeked.head.subarray(0, headBytes);
    return { trying, opened, head, chunks: peeked.chunks, compression, findings, totalBytes, inParts };
  } catch (error) {
    opened.close();
    throw error;
  }
}

/** What the server's headers tell of the image, when that is more than nothing (RFC 6249). */
function mirrorsOf(
  { headers }: OpenedSource,
  { source }: Spot,
  { expectedDigest }: ImageRequest,
): MirrorHeaders | undefined {
  if (!/^https?:/i.test(source.url)) return undefined;
  const digestKnown = expectedDigest !== undefined && !isForgeable(expectedDigest.algorithm);
  const found = readMirrorHeaders(headers, { url: source.url, digestKnown });
  const tells = found.sources.length > 0 || (found.digests.length > 0 && expectedDigest === undefined);
  return tells ? found : undefined;
}

/** `undefined`: the server cannot send parts properly, and is asked for the whole from now on. */
async function openForPartOrWhole(
  deps: RoundDeps,
  trying: Trying,
  whole: boolean,
): Promise<OpenedSource | undefined> {
  try {
    return await open(deps, trying, whole);
  } catch (error) {
    if (whole || !(error instanceof FetchFault) || error.code !== 'RANGES_UNSUPPORTED') throw error;
    deps.course.standBy(trying.spot);
    return undefined;
  }
}

function open({ client, options }: RoundDeps, { spot }: Trying, whole: boolean): Promise<OpenedSource> {
  const { url } = spot.source;
  return client.open(url, {
    ...(whole ? {} : { range: { first: 0, last: firstPartBytes - 1 } }),
    signal: options.signal,
  });
}

function inspectPlain({ request }: RoundDeps, head: Buffer, complete: boolean): HeadFindings | undefined {
  const { maxVirtualSizeBytes } = request.limits;
  return inspectHead(head.subarray(0, headBytes), complete || head.length >= headBytes, {
    format: request.format,
    maxVirtualSizeBytes,
  });
}

async function readMetalink(
  deps: RoundDeps,
  trying: Trying,
  opened: OpenedSource,
  peeked: Parameters<typeof readWithin>[0],
): Promise<Buffer> {
  const tooLong = () => new FetchFault('METALINK_UNUSABLE', `it has more than ${metalinkLimitBytes} bytes`);
  if (opened.totalBytes !== undefined && opened.totalBytes > metalinkLimitBytes) throw tooLong();
  const text = await readWithin(peeked, metalinkLimitBytes);
  opened.close();
  if (text === undefined) throw tooLong();
  if (!opened.ranged || opened.totalBytes === undefined || text.length >= opened.totalBytes) return text;
  const whole = await open(deps, trying, true);
  try {
    const all = await readWithin(await peekBody(whole.body, 1), metalinkLimitBytes);
    if (all === undefined) throw tooLong();
    return all;
  } finally {
    whole.close();
  }
}
