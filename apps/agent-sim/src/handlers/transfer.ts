import { createHash } from 'node:crypto';
import type {
  FailureData,
  FetchPolicy,
  ImageProgressMessage,
  ImageSourceMessage,
  SourceAttempt,
} from '@millrace/agent-protocol';
import { redactUrl, sleep } from '@millrace/core';
import { AgentFailure } from '../../../agent/src/failure.ts';
import { imageAt } from '../faults/url-faults.ts';
import type { HostState } from '../host/world.ts';

/** A transfer that ended without an image, with every try at a source. */
class TransferFailure extends AgentFailure {
  readonly attempts: readonly SourceAttempt[];

  constructor(
    code: string,
    message: string,
    facts: {
      readonly failureClass: FailureData['failureClass'];
      readonly attempts: readonly SourceAttempt[];
    },
  ) {
    super(code, message, facts);
    this.attempts = facts.attempts;
  }
}

export interface Transferred {
  readonly checksum: string;
  readonly attempts: SourceAttempt[];
  readonly phaseMs: Record<string, number>;
}

export interface TransferOptions {
  readonly host: HostState;
  readonly source: ImageSourceMessage;
  readonly policy: FetchPolicy;
  readonly signal: AbortSignal;
  readonly progress: (value: ImageProgressMessage) => void;
}

const bytesPerSecond = 120e6;
/** As often as the image engine tells how far it is. */
const tickMs = 1000;
const verifyMs = 200;

/**
 * Goes through what a real transfer goes through, with the times, the messages and the failures of one, and moves nothing.
 * @throws TransferFailure, an AgentFailure with attempts
 */
export async function transfer(options: TransferOptions): Promise<Transferred> {
  const { host, source, policy } = options;
  const { faults } = imageAt(source.url);
  if (faults.has('not-found')) {
    const attempts = [attemptOf(options, { state: 'failed', reason: 'HTTP_NOT_FOUND', next: 'stop' })];
    throw refusal('HTTP_NOT_FOUND', 'the server does not have the file (404)', attempts);
  }
  const phaseMs: Record<string, number> = {};
  const attempts: SourceAttempt[] = [];
  const wrong = wrongBytesOf(options);
  for (let number = 1; ; number++) {
    const done = await receive(options, { number, before: attempts, phaseMs });
    if (faults.has('not-an-image')) {
      attempts.push({ ...done, state: 'failed', reason: 'IMAGE_HEADER_INVALID', next: 'stop' });
      throw refusal('IMAGE_HEADER_INVALID', 'the bytes are not the image that they should be', attempts);
    }
    if (wrong === undefined) {
      attempts.push({ ...done, state: 'succeeded', next: 'done' });
      return { checksum: source.checksum ?? checksumOf(source.url), attempts, phaseMs };
    }
    const last = number >= policy.checksumAttempts;
    attempts.push({
      ...done,
      state: 'failed',
      reason: 'DIGEST_MISMATCH',
      message: `the bytes have the digest ${wrong}`,
      checksum: wrong,
      next: last ? 'next-host' : 'next-checksum-attempt',
    });
    if (last)
      throw new TransferFailure(
        'DIGEST_MISMATCH',
        `${number} times the bytes on ${host.name} were not those of the checksum`,
        { failureClass: 'next-host', attempts },
      );
  }
}

function refusal(code: string, message: string, attempts: readonly SourceAttempt[]): TransferFailure {
  return new TransferFailure(code, message, { failureClass: 'stop', attempts });
}

/** The digest that arrives instead of the right one: of the source's bytes, or broken on the way to this host. */
function wrongBytesOf({ host, source }: TransferOptions): string | undefined {
  if (imageAt(source.url).faults.has('wrong-bytes')) return checksumOf(`${source.url} changed`);
  return host.faults.wrongBytes ? checksumOf(`${source.url} at ${host.name}`) : undefined;
}

/** One whole try: bytes arrive at the rate of the host, then they are looked at. */
async function receive(
  options: TransferOptions,
  run: {
    readonly number: number;
    readonly before: readonly SourceAttempt[];
    readonly phaseMs: Record<string, number>;
  },
): Promise<SourceAttempt> {
  const { host, signal, progress } = options;
  const { transferBytes, faults } = imageAt(options.source.url);
  const begun = performance.now();
  const attempt = (bytes: number): SourceAttempt => {
    const durationMs = Math.round(performance.now() - begun);
    return attemptOf(options, {
      checksumAttempt: run.number,
      bytes,
      durationMs,
      bytesPerSecond: durationMs === 0 ? 0 : (bytes * 1000) / durationMs,
    });
  };
  const tell = (phase: ImageProgressMessage['phase'], bytes: number, rate: number) =>
    progress({
      phase,
      url: redactUrl(options.source.url),
      bytes,
      totalBytes: transferBytes,
      bytesPerSecond: rate,
      ...(rate > 0 ? { etaSeconds: Math.ceil((transferBytes - bytes) / rate) } : {}),
      attempts: [...run.before, attempt(bytes)],
    });
  let bytes = 0;
  let then = begun;
  tell('planning', 0, 0);
  while (bytes < transferBytes) {
    const slowness = Math.max(host.faults.slowTransfers ?? 1, faults.has('slow') ? 50 : 1);
    const rate = (bytesPerSecond * host.world.speed) / slowness;
    await sleep(Math.min(tickMs, Math.ceil((1000 * (transferBytes - bytes)) / rate)), signal);
    const now = performance.now();
    bytes = Math.min(transferBytes, Math.round(bytes + (rate * (now - then)) / 1000));
    then = now;
    tell('transferring', bytes, rate);
  }
  const transferred = attempt(bytes);
  tell('verifying', bytes, 0);
  await sleep(verifyMs / host.world.speed, signal);
  run.phaseMs['transferring'] = (run.phaseMs['transferring'] ?? 0) + transferred.durationMs;
  run.phaseMs['verifying'] = Math.round(performance.now() - then);
  return transferred;
}

function attemptOf({ source }: TransferOptions, changes: Partial<SourceAttempt>): SourceAttempt {
  const { transferBytes } = imageAt(source.url);
  return {
    url: redactUrl(source.url),
    sourceRank: 1,
    checksumAttempt: 1,
    tryNumber: 1,
    state: 'running',
    bytes: 0,
    totalBytes: transferBytes,
    bytesPerSecond: 0,
    durationMs: 0,
    ...changes,
  };
}

/** Of bytes that nobody ever had: the same for the same URL. */
export function checksumOf(text: string): string {
  return `{SHA-256}${createHash('sha256').update(text).digest('hex')}`;
}
