import { orAborted, redactUrl } from '@millrace/core';
import { looksLikeMetalink, metalinkLimitBytes } from '@millrace/metalink';
import { detectCompression } from './decode/compression.ts';
import { decodeLayers } from './decode/decoder.ts';
import { FetchFault, fetchErrors } from './errors.ts';
import { type HeadFindings, headBytes, inspectHead } from './inspect/inspect-image.ts';
import { directPlan, type FetchPlan, metalinkPlan, type PlannedSource } from './plan.ts';
import { checkRequest } from './request.ts';
import { checkAnnouncedLength } from './round/lengths.ts';
import type { OpenedSource } from './source/http-source.ts';
import { peekBody, readWithin } from './source/peek.ts';
import { makeSourceClient, type SourceClient } from './source/source-client.ts';
import type { Compression, EngineOptions, ImageProbe, ImageRequest, SourceProbe } from './types.ts';
import { prepareMetalinkSignature } from './verify/metalink-signature.ts';

export interface ProbeOptions extends EngineOptions {
  /** After this long, sources that have not answered count as unusable. Default 4000. */
  readonly deadlineMs?: number;
}

const defaultDeadlineMs = 4000;
/** The first block of a bzip2 file can take this much before a single byte comes out. */
const longerHeadBytes = 1024 * 1024;

interface ProbeDeps {
  readonly request: ImageRequest;
  readonly client: SourceClient;
  readonly signal: AbortSignal;
}

/**
 * Asks every source for its first bytes and judges them, without storing any. Sources that fail are told with their
 * reason; one that works is enough.
 * @throws FetchFault `REQUEST_MALFORMED`; the signal's reason when cancelled; nothing else
 */
export async function probeImage(request: ImageRequest, options: ProbeOptions): Promise<ImageProbe> {
  options.signal.throwIfAborted();
  checkRequest(request);
  const deadlineMs = options.deadlineMs ?? defaultDeadlineMs;
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new FetchFault('PROBE_TIMEOUT', `${deadlineMs / 1000} s`)),
    deadlineMs,
  );
  await using client = makeSourceClient(request);
  try {
    const signal = AbortSignal.any([options.signal, deadline.signal]);
    return await probeByPlan({ request, client, signal });
  } finally {
    clearTimeout(timer);
    options.signal.throwIfAborted();
    // ends whatever still hangs
    deadline.abort();
  }
}

async function probeByPlan(deps: ProbeDeps): Promise<ImageProbe> {
  const { request } = deps;
  const direct = directPlan(request);
  let plan = direct;
  let judged: Judged[];
  try {
    const first = await settle(deps, direct, direct.sources[0]!);
    if ('metalink' in first) {
      plan = metalinkPlan(request, first.metalink);
      judged = await judgeAll(deps, plan);
    } else judged = [first];
  } catch (error) {
    // a metalink that is unusable has no sources to be told about: the reason is that of the URL itself
    judged = [failed(direct.sources[0]!, error)];
    return { ...summarise(judged, plan), metalink: true };
  }
  return summarise(judged, plan, await signatureFault(request, plan));
}

/** Why the image could never be verified by the keys that are configured. */
async function signatureFault(request: ImageRequest, plan: FetchPlan): Promise<FetchFault | undefined> {
  const keys = request.signatureKeys ?? [];
  if (keys.length === 0) return undefined;
  try {
    await prepareMetalinkSignature(plan.signature, keys);
    return undefined;
  } catch (error) {
    if (error instanceof FetchFault) return error;
    throw error;
  }
}

/** What one source turned out to be. */
interface Judged {
  readonly probe: SourceProbe;
  readonly fault?: FetchFault;
  readonly findings?: HeadFindings;
  readonly compression?: Compression;
  readonly warnings: readonly string[];
}

/** All at once: a plan has 64 sources at most, and those that hang must not keep the others waiting. */
async function judgeAll(deps: ProbeDeps, plan: FetchPlan): Promise<Judged[]> {
  return Promise.all(
    plan.sources.map(async (source) => {
      const result = await settle(deps, plan, source);
      return 'metalink' in result ? failed(source, new FetchFault('METALINK_NESTED', '')) : result;
    }),
  );
}

/** Judges a source; a fault becomes a result, also when it is the deadline. */
async function settle(
  deps: ProbeDeps,
  plan: FetchPlan,
  source: PlannedSource,
): Promise<Judged | { readonly metalink: Buffer }> {
  try {
    deps.signal.throwIfAborted();
    return await orAborted(judge(deps, plan, source, headBytes), deps.signal);
  } catch (error) {
    if (error instanceof FetchFault) return failed(source, error);
    if (deps.signal.reason instanceof FetchFault) return failed(source, deps.signal.reason);
    throw error;
  }
}

async function judge(
  deps: ProbeDeps,
  plan: FetchPlan,
  source: PlannedSource,
  firstBytes: number,
): Promise<Judged | { readonly metalink: Buffer }> {
  const { request } = deps;
  const opened = await openFirst(deps, source, firstBytes);
  try {
    const peeked = await peekBody(opened.body, firstBytes);
    if (looksLikeMetalink(peeked.head))
      return { metalink: await wholeMetalink(deps, source, peeked.head, opened) };
    checkAnnouncedLength(opened, plan, request);
    const whole =
      opened.totalBytes === undefined
        ? peeked.head.length < firstBytes
        : peeked.head.length >= opened.totalBytes;
    const head = peeked.head.subarray(0, firstBytes);
    const compression = detectCompression(head);
    const findings = await inspectFirst(head, whole, compression, deps);
    if (findings === undefined && !whole && firstBytes < longerHeadBytes) {
      opened.close();
      return await judge(deps, plan, source, longerHeadBytes);
    }
    const plainSize = compression === 'none' ? opened.totalBytes : undefined;
    if (
      plainSize !== undefined &&
      plainSize > request.limits.maxVirtualSizeBytes &&
      findings?.format !== 'qcow2'
    ) {
      const found = `${plainSize} bytes, the limit is ${request.limits.maxVirtualSizeBytes}`;
      throw new FetchFault('IMAGE_TOO_LARGE', found);
    }
    const virtualSizeBytes = findings?.virtualSizeBytes ?? plainSize;
    return {
      probe: probeOf(source, {
        usable: true,
        ...(opened.totalBytes === undefined ? {} : { sizeBytes: opened.totalBytes }),
      }),
      ...(findings ? { findings: { format: findings.format, virtualSizeBytes } } : {}),
      compression,
      warnings: opened.warnings,
    };
  } finally {
    opened.close();
  }
}

/** The first bytes, or everything from a server that cannot send parts properly: no more of it is read. */
async function openFirst(
  { client, signal }: ProbeDeps,
  { url }: PlannedSource,
  firstBytes: number,
): Promise<OpenedSource> {
  try {
    return await client.open(url, { range: { first: 0, last: firstBytes - 1 }, signal });
  } catch (error) {
    if (!(error instanceof FetchFault) || error.code !== 'RANGES_UNSUPPORTED') throw error;
    return await client.open(url, { signal });
  }
}

async function inspectFirst(
  head: Buffer,
  whole: boolean,
  compression: Compression,
  { request, signal }: ProbeDeps,
): Promise<HeadFindings | undefined> {
  const rules = { format: request.format, maxVirtualSizeBytes: request.limits.maxVirtualSizeBytes };
  const parts: Buffer[] = [];
  let size = 0;
  let ended = true;
  const input = async function* () {
    yield head;
  };
  for await (const chunk of decodeLayers(compression, input(), { signal, partial: !whole })) {
    parts.push(chunk);
    size += chunk.length;
    if (size >= headBytes) {
      ended = false;
      break;
    }
  }
  const enough = size >= headBytes;
  return inspectHead(Buffer.concat(parts), enough || (whole && ended), rules);
}

/** The range that was asked for may hold a part of the metalink only. */
async function wholeMetalink(
  { client, signal }: ProbeDeps,
  source: PlannedSource,
  head: Buffer,
  opened: { readonly totalBytes: number | undefined },
): Promise<Buffer> {
  if (opened.totalBytes !== undefined && head.length >= opened.totalBytes) return head;
  const again = await client.open(source.url, { signal });
  try {
    const text = await readWithin(await peekBody(again.body, 1), metalinkLimitBytes);
    if (text === undefined)
      throw new FetchFault('METALINK_UNUSABLE', `it has more than ${metalinkLimitBytes} bytes`);
    return text;
  } finally {
    again.close();
  }
}

function failed(source: PlannedSource, error: unknown): Judged {
  if (!(error instanceof FetchFault)) throw error;
  return {
    probe: probeOf(source, { usable: false, reason: error.code, message: error.message }),
    fault: error,
    warnings: [],
  };
}

function probeOf(
  source: PlannedSource,
  facts: Omit<SourceProbe, 'url' | 'location' | 'priority'>,
): SourceProbe {
  return {
    url: redactUrl(source.url),
    ...(source.location === undefined ? {} : { location: source.location }),
    ...(source.priority === undefined ? {} : { priority: source.priority }),
    ...facts,
  };
}

function summarise(judged: readonly Judged[], plan: FetchPlan, unsigned?: FetchFault): ImageProbe {
  const usable = judged.filter(({ probe }) => probe.usable);
  const best = usable.find(({ findings }) => findings) ?? usable[0];
  const refusal = refusalOf(judged, plan) ?? unsigned;
  const warnings = [...plan.warnings, ...new Set(judged.flatMap((one) => one.warnings))];
  if (usable.length > 0) {
    for (const { probe } of judged) if (!probe.usable) warnings.push(`${probe.url}: ${probe.message}`);
    if (!best?.findings)
      warnings.push('too little could be unpacked to look inside: the image is judged when it is fetched');
  }
  const transferBytes = plan.expectedBytes ?? best?.probe.sizeBytes;
  return {
    usable: usable.length > 0 && refusal === undefined,
    metalink: plan.metalink,
    sources: judged.map(({ probe }) => probe),
    ...(refusal
      ? {
          refusal: {
            code: refusal.code,
            message: `${refusal.message}. Next: ${fetchErrors[refusal.code].nextStep}.`,
          },
        }
      : {}),
    ...(best?.findings ? { format: best.findings.format } : {}),
    ...(best?.compression ? { compression: best.compression } : {}),
    ...(best?.findings?.virtualSizeBytes === undefined
      ? {}
      : { virtualSizeBytes: best.findings.virtualSizeBytes }),
    ...(transferBytes === undefined ? {} : { transferBytes }),
    ...(plan.expectedDigest ? { expectedDigest: plan.expectedDigest } : {}),
    warnings,
  };
}

/**
 * Whether the bytes themselves are refused. With a digest to go by, a mirror that sends something else is only a bad
 * mirror as long as another one is fine. Without, nobody can say which of them is the image, so one refusal is enough.
 */
function refusalOf(judged: readonly Judged[], plan: FetchPlan): FetchFault | undefined {
  const refused = judged.find(({ fault }) => fault && fetchErrors[fault.code].outcome === 'refused')?.fault;
  const anyUsable = judged.some(({ probe }) => probe.usable);
  return refused && !(plan.expectedDigest && anyUsable) ? refused : undefined;
}
