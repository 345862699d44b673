import type { AgentMethods, ResultOf } from '@millrace/agent-protocol';
import { AgentCallError } from '../domain/failure-policy.ts';
import type { JobContext } from '../jobs/job-context.ts';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import type { Row } from '../store/schema.ts';
import { recordContent } from '../store/template-content.ts';
import { completeTransfer, type SpoolLease } from '../store/template-spool.ts';
import { callHost } from './agent-call.ts';
import { imageFormatOf } from './records.ts';
import { compareWithOthers, digestOf, type ExpectedContent } from './template-content.ts';
import type { TemplateOnPoolOptions } from './template-on-pool.ts';
import type { Supply } from './template-supply.ts';

/** Which template a job brings to which pool. */
interface Target {
  readonly context: JobContext;
  readonly template: Row<'vm_template'>;
}

/**
 * Records the copy, unless it has other bytes than copies that were made at the same time on other pools and the admin has
 * not said to follow the source: then the file goes again.
 * @throws AgentCallError `TEMPLATE_SOURCE_CHANGED`
 */
export async function keepCopy(
  options: TemplateOnPoolOptions,
  lease: SpoolLease,
  made: {
    readonly result: ResultOf<AgentMethods, 'template.prepare'>;
    readonly expected: ExpectedContent | undefined;
    readonly supply: Supply;
    readonly fileDigest: string | undefined;
  },
): Promise<void> {
  const { context, place, template } = options;
  const { expected, supply, fileDigest } = made;
  const result = asOfSource(made.result, supply);
  const digest = digestOf(result, expected);
  const key = { poolId: place.poolId, templateId: template.id };
  const change = await context.write(async (trx) => {
    const found = expected?.from === 'declared' ? undefined : await compareWithOthers(trx, key, digest);
    if (found && !found.allowed) return found;
    await recordSuccess(trx, options, lease, { ...result, digest, supply, fileDigest });
    if (found) await recordSourceChange(trx, options, found.message, 'WARN');
    return undefined;
  });
  if (!change) return;
  await removeFromPool(options, lease, { ...result, because: 'changed' });
  throw new AgentCallError('TEMPLATE_SOURCE_CHANGED', change.message, {
    failureClass: 'stop',
    attempts: result.attempts,
  });
}

/**
 * A copy of a copy is what the first one's source sent: its checksum is that of these bytes, wherever they came from last, so
 * that copies can be compared however each was made.
 */
function asOfSource(
  result: ResultOf<AgentMethods, 'template.prepare'>,
  { copy }: Supply,
): ResultOf<AgentMethods, 'template.prepare'> {
  return copy ? { ...result, checksum: copy.checksum ?? '' } : result;
}

/** The digest of the stored file, where it is the very one that was transferred: neither unpacked nor converted. */
function digestOfFile(result: ResultOf<AgentMethods, 'template.prepare'>): string | null {
  const same = result.sizeBytes === result.transferredBytes && result.convertedFrom === undefined;
  const computed = result.verifiedBy !== 'pieces' && result.checksum.startsWith('{SHA-256}');
  return same && computed ? result.checksum : null;
}

/** The type of the event of a transfer's end: CloudStack's, and the counterpart for images that go to a store. */
export function transferEvent<E extends 'SUCCESS' | 'FAILURE'>(
  { template, place }: TemplateOnPoolOptions,
  end: E,
) {
  const way = template.direct_download && place.role === 'Primary' ? 'DIRECT.DOWNLOAD' : 'DOWNLOAD';
  return `${kindOf(template).event}.${way}.${end}` as const;
}

/** Removes a file that this transfer found or made, and that is not to be the copy. */
export async function removeFromPool(
  { context, agents, place, step, reconnectMs }: TemplateOnPoolOptions,
  lease: SpoolLease,
  file: { readonly installPath: string; readonly because: 'unknown' | 'changed' },
): Promise<void> {
  await callHost(agents, {
    hostId: place.hostId,
    method: 'template.remove',
    params: { pool: place.pool, installPath: file.installPath },
    operationId: `${context.job.uuid}/${step}/remove-${file.because}-${lease.generation}`,
    signal: context.signal,
    reconnectMs,
  });
}

async function recordSuccess(
  trx: Executor,
  options: TemplateOnPoolOptions,
  lease: SpoolLease,
  result: ResultOf<AgentMethods, 'template.prepare'> & {
    readonly digest: string | undefined;
    readonly supply: Supply;
    readonly fileDigest: string | undefined;
  },
): Promise<void> {
  const { template, place } = options;
  const { copy } = result.supply;
  await completeTransfer(trx, lease, {
    ...result,
    checksum: result.digest ?? null,
    // of a file that was there already nothing was computed; `same` is only asked for where it was
    digestComputed:
      result.linked !== undefined ||
      (!result.reused && result.verifiedBy !== 'pieces' && (copy?.digestComputed ?? true)),
    fileDigest: result.fileDigest ?? (result.reused ? null : (copy?.fileDigest ?? digestOfFile(result))),
  });
  if (result.digest !== undefined)
    await recordContent(trx, {
      templateId: template.id,
      digest: result.digest,
      sizeBytes: result.sizeBytes,
    });
  await trx
    .updateTable('vm_template')
    .set({ size: result.virtualSizeBytes })
    .where('id', '=', template.id)
    .where('size', 'is', null)
    .execute();
  const { word } = kindOf(template);
  const where = place.role === 'Image' ? 'image store' : 'primary storage';
  const from = copy ? ` from ${copy.role === 'Image' ? 'image store' : 'storage pool'} ${copy.poolName}` : '';
  const how = result.linked
    ? `was on its ${where} under another name: no byte was downloaded`
    : result.reused
      ? `was on its ${where} already`
      : `was downloaded to ${where}${from}: ${result.transferredBytes} bytes`;
  await recordEvent(trx, {
    type: transferEvent(options, 'SUCCESS'),
    description: `${word} ${template.name} ${how}`,
    ...templateEvent(options),
  });
}

export async function recordSourceChange(
  trx: Executor,
  options: TemplateOnPoolOptions,
  message: string,
  level: 'WARN' | 'ERROR',
): Promise<void> {
  const { word, event } = kindOf(options.template);
  await recordEvent(trx, {
    type: `${event}.SOURCE.CHANGED`,
    level,
    description: `${word} ${options.template.name}: ${message}`,
    ...templateEvent(options),
  });
}

export function kindOf(template: Row<'vm_template'>) {
  return imageFormatOf(template) === 'iso'
    ? ({ event: 'ISO', word: 'ISO', resource: 'Iso' } as const)
    : ({ event: 'TEMPLATE', word: 'Template', resource: 'Template' } as const);
}

export function templateEvent({ context, template }: Target) {
  return {
    userId: context.job.userId,
    accountId: context.job.accountId,
    resourceType: kindOf(template).resource,
    resourceUuid: template.uuid,
    jobUuid: context.job.uuid,
  };
}
