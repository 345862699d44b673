import { invalidParameter } from '@millrace/api';
import { isForgeable, MillraceError, parseChecksum } from '@millrace/core';
import { isSecretDetail } from './template-registration.ts';

/** What the owner is shown in the place of a secret. */
export const shownSecret = '***';

/**
 * The details of a template after a change. Those that are not named stay, since some are never shown and nobody could
 * name them; one with an empty value goes; a secret that comes back as it was shown stays what it is.
 */
export function changedDetails(
  present: Readonly<Record<string, string>>,
  change: { readonly details?: Readonly<Record<string, string>> | undefined; readonly cleanUp: boolean },
): Record<string, string> {
  const details = new Map(change.cleanUp ? [] : Object.entries(present));
  for (const [name, value] of Object.entries(change.details ?? {})) {
    const keeps = value === shownSecret && isSecretDetail(name);
    const kept = keeps ? present[name] : value;
    if (kept === undefined)
      throw invalidParameter('details', `${name} has no value to keep: write the value itself`);
    if (kept === '') details.delete(name);
    else details.set(name, kept);
  }
  return Object.fromEntries(details);
}

/**
 * Whether a template has other bytes after the change, as far as checksums tell: then its copies on pools are copies of
 * something else. Another URL with the same trustworthy checksum is a mirror that moved.
 * @param committed digests of what hosts have committed of it
 */
export function isOtherImage(
  before: { readonly url: string; readonly checksum: string | undefined; readonly format: string },
  after: { readonly url: string; readonly checksum: string | undefined; readonly format: string },
  committed: readonly string[],
): boolean {
  if (before.format !== after.format) return true;
  if (after.checksum !== undefined && committed.includes(after.checksum)) return false;
  if (before.checksum !== after.checksum) return after.checksum !== undefined || before.url !== after.url;
  return before.url !== after.url && !isTrustworthy(after.checksum);
}

function isTrustworthy(checksum: string | undefined): boolean {
  if (checksum === undefined) return false;
  try {
    return !isForgeable(parseChecksum(checksum).algorithm);
  } catch (error) {
    if (error instanceof MillraceError) return false;
    throw error;
  }
}
