import type { Key, PublicKey, SignaturePacket } from 'openpgp';
import { FetchFault } from '../errors.ts';

/** Who signed, as far as the configured keys tell. */
export interface SignedBy {
  /** Of the primary key, upper-case hex. */
  readonly fingerprint: string;
  /** The first user id of the key: whatever its owner wrote there. */
  readonly userId?: string;
  readonly signedAt: Date;
}

const mostKeyTexts = 64;
const mostKeyCharacters = 256 * 1024;

/** OpenPGP takes 50 ms and 30 MB to load, and most fetches never need it. */
export function loadOpenpgp() {
  return import('openpgp');
}

/**
 * Reads armoured OpenPGP public keys; a text may hold several.
 * @throws FetchFault `REQUEST_MALFORMED` saying which of the texts is none, never what is in it.
 */
export async function readSignatureKeys(texts: readonly string[]): Promise<readonly PublicKey[]> {
  if (texts.length === 0 || texts.length > mostKeyTexts) {
    throw new FetchFault(
      'REQUEST_MALFORMED',
      `${texts.length} signature keys, from 1 to ${mostKeyTexts} can be used`,
    );
  }
  const { readKeys } = await loadOpenpgp();
  const keys = await Promise.all(
    texts.map(async (text, index): Promise<Key[]> => {
      const which = `signature key ${index + 1}`;
      if (text.length > mostKeyCharacters) throw new FetchFault('REQUEST_MALFORMED', `${which} is too large`);
      let read: Key[];
      try {
        read = await readKeys({ armoredKeys: text });
      } catch (cause) {
        throw new FetchFault('REQUEST_MALFORMED', `${which} is no armoured OpenPGP public key`, { cause });
      }
      if (read.some((key) => key.isPrivate())) {
        throw new FetchFault('REQUEST_MALFORMED', `${which} is a private key, the public one is needed`);
      }
      return read;
    }),
  );
  return keys.flat();
}

/** The configured key that a signature says it was made by. Whether it was is for the verification to tell. */
export function claimedKey(packet: SignaturePacket, keys: readonly PublicKey[]): PublicKey | undefined {
  return keys.find((key) => key.getKeys(packet.issuerKeyID).length > 0);
}

export function signedBy(packet: SignaturePacket, key: PublicKey): SignedBy {
  const userId = key.getUserIDs()[0];
  return {
    fingerprint: key.getFingerprint().toUpperCase(),
    ...(userId === undefined ? {} : { userId }),
    signedAt: packet.created ?? new Date(0),
  };
}

/** `key FINGERPRINT ("name"), signed on 2026-01-31` */
export function describeSigner({ fingerprint, userId, signedAt }: SignedBy): string {
  const name = userId === undefined ? '' : ` (${JSON.stringify(userId.slice(0, 80))})`;
  return `key ${fingerprint}${name}, signed on ${signedAt.toISOString().slice(0, 10)}`;
}
