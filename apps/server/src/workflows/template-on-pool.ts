import type {
  AgentMethods,
  ImageProgressMessage,
  ParamsOf,
  ResultOf,
  SourceAttempt,
} from '@millrace/agent-protocol';
import { MillraceError, sleep } from '@millrace/core';
import type { AgentGateway } from '../agents/gateway.ts';
import { AgentCallError, type Failure, failureOf } from '../domain/failure-policy.ts';
import { fetchPolicyFrom } from '../domain/fetch-policy.ts';
import { messageForUsers } from '../domain/host-failures.ts';
import type { JobContext } from '../jobs/job-context.ts';
import { makeLatestWriter } from '../jobs/latest-writer.ts';
import { trustedAtPool } from '../store/certificates.ts';
import { recordEvent } from '../store/events.ts';
import type { Row } from '../store/schema.ts';
import { readSettings } from '../store/settings.ts';
import {
  claimTemplate,
  failTransfer,
  forgetVanished,
  leaseMs,
  readSpool,
  renewLease,
  type SpoolLease,
  type SpoolRow,
} from '../store/template-spool.ts';
import { callHost } from './agent-call.ts';
import {
  keepCopy,
  kindOf,
  recordSourceChange,
  removeFromPool,
  templateEvent,
  transferEvent,
} from './record-copy.ts';
import { loadTemplateRow, type Place, templateFileName } from './records.ts';
import {
  type ExpectedContent,
  expectedContent,
  isOfUnknownContent,
  sameImage,
  sourceChanged,
  sourceChangeIn,
} from './template-content.ts';
import { type Supply, suppliesOf } from './template-supply.ts';

/** How far a transfer is, whoever makes it. */
export interface TransferView {
  readonly own: boolean;
  readonly progress: ImageProgressMessage;
}

export interface TemplateOnPoolOptions {
  readonly context: JobContext;
  readonly agents: AgentGateway;
  readonly place: Place;
  readonly template: Row<'vm_template'>;
  /** Unique within the job: names the operation on the host. */
  readonly step: string;
  readonly reconnectMs: number;
  /** Default: a deployment's, which goes first where a host's rate is limited. */
  readonly priority?: 'prefetch';
  readonly onTransfer: (view: TransferView) => void;
}

export interface TemplateOnPool {
  readonly installPath: string;
  /** No byte was moved, by this job or any it waited for. */
  readonly reused: boolean;
  readonly attempts: readonly SourceAttempt[];
  /** The host's own measurement, when this job made the transfer. */
  readonly phaseMs: Readonly<Record<string, number>>;
}

const followPollMs = 300;
/** Housekeeping looks for removals to finish twice in this time. */
const removalPatienceMs = 60_000;

/**
 * Sees to it that a template's whole, verified copy is on a pool: uses the one that is there, follows a transfer that
 * is under way, or makes one.
 * @throws AgentCallError with every try at every source; MillraceError `TEMPLATE_DELETED`, `COPY_BEING_REMOVED`
 */
export async function ensureTemplateOnPool(options: TemplateOnPoolOptions): Promise<TemplateOnPool> {
  const { context, template, place } = options;
  const key = { poolId: place.poolId, templateId: template.id };
  let following: number | undefined;
  let last: ImageProgressMessage | undefined;
  let going: number | undefined;
  for (;;) {
    context.signal.throwIfAborted();
    // whoever follows a transfer does not take part in the race for the row
    const seen = following === undefined ? undefined : await context.read((db) => readSpool(db, key));
    if (seen) failWithFollowed(seen, following!);
    if (!seen || isClaimable(seen)) {
      const claim = await context.write((trx) => claimTemplate(trx, key, context.job.uuid));
      switch (claim.kind) {
        case 'going':
          going = await waitForRemoval(options, going);
          break;
        case 'ready':
          if (await isThere(options, claim.row))
            return {
              installPath: claim.row.install_path ?? templateFileName(template),
              reused: following === undefined,
              attempts: last?.attempts ?? [],
              phaseMs: {},
            };
          context.log.warn({ pool: place.poolId, template: template.uuid }, 'the copy has vanished');
          await context.write((trx) => forgetVanished(trx, claim.row));
          continue;
        case 'owner':
          return transfer(options, {
            spoolId: claim.spoolId,
            owner: context.job.uuid,
            generation: claim.generation,
          });
        case 'follower':
          following ??= claim.row.generation;
          last = show(options, claim.row) ?? last;
          break;
      }
    } else last = show(options, seen) ?? last;
    await sleep(followPollMs, context.signal);
  }
}

/**
 * The copy is being removed. That of a deleted template does not come back; one that was merely unused can be fetched
 * again when it is gone.
 * @returns since when the removal has been waited for
 */
async function waitForRemoval(options: TemplateOnPoolOptions, since = Date.now()): Promise<number> {
  const { context, template } = options;
  const { removed } = await context.read((database) => loadTemplateRow(database, template.id));
  if (removed) throw new MillraceError('TEMPLATE_DELETED', 'the template was deleted meanwhile');
  if (Date.now() - since > removalPatienceMs)
    throw new MillraceError(
      'COPY_BEING_REMOVED',
      'the unused copy on the pool is being removed, and its host does not finish it',
    );
  return since;
}

/** A row whose transfer ended, or whose owner has not been heard of: worth a claim under the row's lock. */
function isClaimable(row: SpoolRow): boolean {
  return (
    row.state === 'Ready' ||
    row.lease_owner === null ||
    row.marked_for_gc ||
    row.lease_until === null ||
    row.lease_until.getTime() < Date.now() + leaseMs / 2
  );
}

/** A failed transfer fails everybody who waited for it: they would see the same, one after the other. */
function failWithFollowed(row: SpoolRow, generation: number): void {
  const kept = row.failure as { generation?: number; failure?: Failure } | null;
  if (!kept?.failure || (kept.generation ?? 0) < generation) return;
  throw new AgentCallError(kept.failure.code, kept.failure.message, {
    ...(kept.failure.failureClass ? { failureClass: kept.failure.failureClass } : {}),
    attempts: [...(kept.failure.attempts ?? [])],
  });
}

function show(options: TemplateOnPoolOptions, row: SpoolRow): ImageProgressMessage | undefined {
  // written by the owner from a decoded message; a row without one has just been claimed
  const progress = row.transfer_progress as ImageProgressMessage | null;
  options.onTransfer({
    own: false,
    progress: progress ?? { phase: 'planning', bytes: 0, bytesPerSecond: 0, attempts: [] },
  });
  return progress ?? undefined;
}

async function isThere(options: TemplateOnPoolOptions, row: SpoolRow): Promise<boolean> {
  const { context, agents, place, template } = options;
  const { present } = await callHost(agents, {
    hostId: place.hostId,
    method: 'template.check',
    params: { pool: place.pool, installPath: row.install_path ?? templateFileName(template) },
    // a check is of its moment: the answer of an earlier one must not be kept for it
    operationId: `${context.job.uuid}/${options.step}/check-${row.generation}-${context.job.attempts}-${Date.now()}`,
    signal: context.signal,
    reconnectMs: options.reconnectMs,
  });
  return present;
}

type PrepareResult = ResultOf<AgentMethods, 'template.prepare'>;
type PrepareParams = ParamsOf<AgentMethods, 'template.prepare'>;

/** What has to come of a transfer, and what the host is asked for wherever the image is taken from. */
async function orderOf({ context, place, template, priority }: TemplateOnPoolOptions): Promise<{
  readonly paramsFor: (supply: Supply) => PrepareParams;
  readonly expected: ExpectedContent | undefined;
}> {
  const settings = await context.read((database) => readSettings(database, { poolId: place.poolId }));
  const trusted = await context.read((database) => trustedAtPool(database, place.poolId));
  const key = { poolId: place.poolId, templateId: template.id };
  const choice = settings['template.source.changed'];
  const expected = await context.read((database) =>
    expectedContent(database, key, { declared: template.checksum ?? undefined, choice }),
  );
  const same = await context.read((database) => sameImage(database, key, template));
  const policy = fetchPolicyFrom(settings, trusted);
  const paramsFor = ({ source, ownCidrs, copy }: Supply) => ({
    pool: place.pool,
    installPath: templateFileName(template),
    source: { ...source, ...(expected === undefined || copy ? {} : { checksum: expected.digest }) },
    policy: { ...policy, egressAllowedCidrs: [...policy.egressAllowedCidrs, ...ownCidrs] },
    location: [...place.location],
    ...(priority ? { priority } : {}),
    ...(same === undefined ? {} : { same }),
  });
  return { paramsFor, expected };
}

async function transfer(options: TemplateOnPoolOptions, lease: SpoolLease): Promise<TemplateOnPool> {
  const { context, agents, place, template } = options;
  const { paramsFor, expected } = await orderOf(options);
  const lost = new AbortController();
  const renew = async (progress?: ImageProgressMessage) => {
    const held = await context.write((trx) =>
      renewLease(trx, lease, progress && { percent: percentOf(progress), value: progress }),
    );
    if (!held) lost.abort(new MillraceError('SPOOL_LEASE_LOST', 'another job makes the copy now'));
  };
  const writer = makeLatestWriter<ImageProgressMessage | undefined>({
    write: renew,
    minIntervalMs: 500,
    now: () => performance.now(),
  });
  const heartbeat = setInterval(() => writer.offer(undefined), leaseMs / 3);
  const prepare = (supply: Supply, operation: string) =>
    callHost(agents, {
      hostId: place.hostId,
      method: 'template.prepare',
      params: paramsFor(supply),
      operationId: `${context.job.uuid}/${options.step}/${operation}`,
      signal: AbortSignal.any([context.signal, lost.signal]),
      reconnectMs: options.reconnectMs,
      onProgress: (progress) => {
        writer.offer(progress);
        options.onTransfer({ own: true, progress });
      },
    });
  try {
    const { supply, ...made } = await fromFirstThatWorks(options, expected, (one, nth) =>
      prepare(one, `transfer-${lease.generation}${nth === 0 ? '' : `-from-${nth}`}`),
    );
    let { result } = made;
    if (isOfUnknownContent(result, expected)) {
      // a file that nobody recorded, where it matters which bytes it has
      await removeFromPool(options, lease, { ...result, because: 'unknown' });
      result = await prepare(supply, `transfer-${lease.generation}-anew`);
    }
    await writer.flush();
    await keepCopy(options, lease, { result, expected, supply, fileDigest: await digestOnStore(options) });
    clearInterval(heartbeat);
    return {
      installPath: result.installPath,
      reused: result.reused,
      attempts: result.attempts,
      phaseMs: result.phaseMs,
    };
  } catch (error) {
    clearInterval(heartbeat);
    if (context.signal.aborted) throw error;
    if (lost.signal.aborted) return ensureTemplateOnPool(options);
    const cause = sourceChangeIn(error, expected) ?? error;
    const failure = failureOf(cause);
    await context.write(async (trx) => {
      await failTransfer(trx, lease, failure);
      await recordEvent(trx, {
        type: transferEvent(options, 'FAILURE'),
        level: 'ERROR',
        description: `${kindOf(template).word} ${template.name} was not downloaded${place.role === 'Image' ? ` to image store ${place.poolName}` : ''}: ${messageForUsers(failure.code, failure.message)}`,
        ...templateEvent(options),
      });
      if (failure.code === sourceChanged) await recordSourceChange(trx, options, failure.message, 'ERROR');
    });
    throw cause;
  }
}

/** What says that an image cannot be had from there, and nothing of the place where it is to go. */
const ofTheSupply: ReadonlySet<string> = new Set(['ALL_SOURCES_FAILED', 'DIGEST_MISMATCH', 'SOURCES_DIFFER']);

/** One supply that fails is followed by the next, unless no other would fare better. */
async function fromFirstThatWorks(
  options: TemplateOnPoolOptions,
  expected: ExpectedContent | undefined,
  make: (supply: Supply, nth: number) => Promise<PrepareResult>,
): Promise<{ readonly supply: Supply; readonly result: PrepareResult }> {
  const { context } = options;
  const damaged = new Set<number>();
  let nth = 0;
  let failed: unknown;
  for await (const supply of suppliesOf(options, expected, damaged)) {
    try {
      return { supply, result: await make(supply, nth) };
    } catch (error) {
      const { code, message } = failureOf(error);
      // what the template's own source yields is the last word
      if (context.signal.aborted || !supply.copy || !ofTheSupply.has(code)) throw error;
      if (code !== 'ALL_SOURCES_FAILED') damaged.add(supply.copy.spoolId);
      failed = error;
      nth++;
      context.log.warn(
        { from: supply.copy.poolName, code, message },
        'the image does not come from this copy',
      );
    }
  }
  throw failed;
}

/** What is given out from an image store is verified by the digest of the file there, so it is read back once. */
async function digestOnStore(options: TemplateOnPoolOptions): Promise<string | undefined> {
  const { context, agents, place, template, step, reconnectMs } = options;
  if (place.role !== 'Image') return undefined;
  const { checksum } = await callHost(agents, {
    hostId: place.hostId,
    method: 'template.digest',
    params: { pool: place.pool, installPath: templateFileName(template) },
    operationId: `${context.job.uuid}/${step}/digest-${Date.now()}`,
    signal: context.signal,
    reconnectMs,
  });
  return checksum;
}

function percentOf(progress: ImageProgressMessage): number {
  if (!progress.totalBytes) return 0;
  return Math.min(99, Math.floor((100 * progress.bytes) / progress.totalBytes));
}
