import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { fileName, poolReference } from '@millrace/agent-protocol';
import { z } from 'zod';

/** Which image may be read, and until when. */
const grantSchema = z.object({
  pool: poolReference,
  installPath: fileName,
  name: z.string(),
  /** Milliseconds since 1970. */
  expires: z.number(),
});
export type Grant = Readonly<z.infer<typeof grantSchema>>;

const cipher = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/**
 * The key of this host's grants. It comes from the host's own private key, so that what was granted stays granted over
 * restarts, nobody else can grant anything, and no further secret has to be kept (RFC 5869).
 */
export function grantKey(privateKey: string): Buffer {
  return Buffer.from(hkdfSync('sha256', privateKey, '', 'millrace image grants', 32));
}

/** A grant as a word for a URL: sealed, because it names a pool, with what it takes to reach it. */
export function sealGrant(key: Buffer, grant: Grant): string {
  const nonce = randomBytes(nonceBytes);
  const sealing = createCipheriv(cipher, key, nonce);
  const text = Buffer.concat([sealing.update(JSON.stringify(grant), 'utf8'), sealing.final()]);
  return Buffer.concat([nonce, sealing.getAuthTag(), text]).toString('base64url');
}

/** The grant in a word that this host made; undefined for anything else. Whether it has expired is for the caller to see. */
export function openGrant(key: Buffer, word: string): Grant | undefined {
  const sealed = Buffer.from(word, 'base64url');
  if (sealed.length <= nonceBytes + tagBytes) return undefined;
  const opening = createDecipheriv(cipher, key, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes });
  opening.setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes));
  try {
    const text = Buffer.concat([opening.update(sealed.subarray(nonceBytes + tagBytes)), opening.final()]);
    return grantSchema.parse(JSON.parse(text.toString('utf8')));
  } catch {
    // not made by this host: whoever sent it need not learn why
    return undefined;
  }
}
