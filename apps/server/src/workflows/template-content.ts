import type { AgentMethods, ResultOf } from '@millrace/agent-protocol';
import { AgentCallError, failureOf, wrongDigests } from '../domain/failure-policy.ts';
import type { SourceChangedChoice } from '../domain/template-settings.ts';
import type { Executor } from '../store/database.ts';
import type { Row } from '../store/schema.ts';
import { readSetting } from '../store/settings.ts';
import { digestOfOtherCopies, latestDigest, sameImageOnPool } from '../store/template-content.ts';
import { digestBelowDisks, type SpoolKey } from '../store/template-spool.ts';
import { templateSource } from './records.ts';

export const sourceChanged = 'TEMPLATE_SOURCE_CHANGED';

/** The bytes that a transfer has to yield. */
export interface ExpectedContent {
  readonly digest: string;
  /** Who says so: the registration, the disks on a copy that vanished, the other copies, or the template's history. */
  readonly from: 'declared' | 'disks' | 'copies' | 'pinned';
}

/** What a copy must be, so that all copies of a template are the same image. Undefined: whatever the source yields. */
export async function expectedContent(
  executor: Executor,
  key: SpoolKey,
  { declared, choice }: { readonly declared: string | undefined; readonly choice: string },
): Promise<ExpectedContent | undefined> {
  if (declared !== undefined) return { digest: declared, from: 'declared' };
  const below = await digestBelowDisks(executor, key);
  if (below !== undefined) return { digest: below, from: 'disks' };
  // the settings let nothing else through
  switch (choice as SourceChangedChoice) {
    case 'follow':
      return undefined;
    case 'refuse': {
      const digest = await digestOfOtherCopies(executor, key);
      return digest === undefined ? undefined : { digest, from: 'copies' };
    }
    case 'pin': {
      const digest = await latestDigest(executor, key.templateId);
      return digest === undefined ? undefined : { digest, from: 'pinned' };
    }
  }
}

/** A file of the pool that is the very image, when the template's checksum says what that is. */
export async function sameImage(
  executor: Executor,
  key: SpoolKey,
  template: Row<'vm_template'>,
): Promise<string | undefined> {
  const { checksum } = await templateSource(executor, template);
  if (checksum === undefined) return undefined;
  return sameImageOnPool(executor, key, { ...template, checksum });
}

/**
 * The digest of a new copy. Of a file that was there already the host knows none, and what it was asked for counts only
 * where the file was once committed with it: see `template.prepare`.
 */
export function digestOf(
  result: ResultOf<AgentMethods, 'template.prepare'>,
  expected: ExpectedContent | undefined,
): string | undefined {
  if (!result.reused) return result.checksum || expected?.digest;
  return expected?.from === 'declared' || expected?.from === 'disks' ? expected.digest : undefined;
}

/**
 * Whether the host found a file whose bytes nobody knows, where the other copies say which they must be: a server and an
 * agent that died between its commit and its record have left one.
 */
export function isOfUnknownContent(
  { reused, linked }: ResultOf<AgentMethods, 'template.prepare'>,
  expected: ExpectedContent | undefined,
): boolean {
  return reused && linked === undefined && (expected?.from === 'copies' || expected?.from === 'pinned');
}

/** The failure of a transfer that got whole files, but not those that the template's copies have. */
export function sourceChangeIn(
  error: unknown,
  expected: ExpectedContent | undefined,
): AgentCallError | undefined {
  if (expected?.from !== 'copies' && expected?.from !== 'pinned') return undefined;
  const failure = failureOf(error);
  const [received] = wrongDigests(failure);
  if (failure.code !== 'DIGEST_MISMATCH' || received === undefined) return undefined;
  const message = changedText(received, expected.digest);
  return new AgentCallError(
    'TEMPLATE_SOURCE_CHANGED',
    message,
    { failureClass: 'stop', attempts: [...(failure.attempts ?? [])] },
    { cause: error },
  );
}

/**
 * Compares a new copy with those that were made meanwhile. Must run in the transaction that records it.
 * @returns how they differ, and whether the admin allows that
 */
export async function compareWithOthers(
  trx: Executor,
  key: SpoolKey,
  digest: string | undefined,
): Promise<{ readonly message: string; readonly allowed: boolean } | undefined> {
  // two pools that finish at the same time must see each other
  await trx.selectFrom('vm_template').select('id').where('id', '=', key.templateId).forUpdate().execute();
  const others = await digestOfOtherCopies(trx, key);
  if (digest === undefined || others === undefined || others === digest) return undefined;
  if (algorithmOf(others) !== algorithmOf(digest)) return undefined;
  const allowed = (await readSetting(trx, 'template.source.changed')) === 'follow';
  return {
    allowed,
    message: allowed
      ? `the source now yields ${digest}, copies on other pools have ${others}; the setting template.source.changed says follow`
      : changedText(digest, others),
  };
}

function changedText(received: string, known: string): string {
  return (
    `the source now yields ${received}, but copies of the template have ${known}. An admin decides: ` +
    'updateConfiguration name=template.source.changed value=follow takes the new bytes, evictTemplate removes the copies that have the old ones, ' +
    'or register the new image as a template of its own, with its checksum'
  );
}

function algorithmOf(digest: string): string {
  return digest.slice(0, digest.indexOf('}'));
}
