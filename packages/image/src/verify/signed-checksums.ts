import type { PublicKey, Signature, SignaturePacket } from 'openpgp';
import { FetchFault } from '../errors.ts';
import { claimedKey, loadOpenpgp, readSignatureKeys, type SignedBy, signedBy } from './signature-keys.ts';

/** A list of checksums of which every line was signed. */
export interface SignedChecksums {
  /** What was signed, without the frame of a clear-signed message: nothing else of the file may be used. */
  readonly text: string;
  readonly signedBy: SignedBy;
}

/** A signature takes some hundred bytes; this many hold hundreds, each of which costs a public-key operation. */
const mostSignatureBytes = 64 * 1024;
const signatureBegin = '-----BEGIN PGP SIGNATURE-----';
const mostPackets = 16;

/** True for what may be a detached OpenPGP signature, armoured or not: a missing file is often a page with status 200. */
export function looksLikeSignature(bytes: Uint8Array): boolean {
  const [first = 0] = bytes;
  // every OpenPGP packet begins with a byte whose highest bit is set (RFC 9580 §4.2)
  return (
    first >= 0x80 || /^\s*-----BEGIN PGP SIGNATURE-----/.test(Buffer.from(bytes).toString('latin1', 0, 1000))
  );
}

/** True when the text is, or holds, a clear-signed message. */
export function isClearSigned(text: Uint8Array): boolean {
  return /^-----BEGIN PGP SIGNED MESSAGE-----\s*$/m.test(Buffer.from(text).toString('latin1'));
}

/**
 * Verifies a list of checksums: by a detached signature (`SHA256SUMS` with `SHA256SUMS.asc`, armoured or not), or without one as
 * a clear-signed message. One valid signature of one of the keys is enough. `keys`: armoured public keys, at least one.
 * @throws FetchFault `SIGNATURE_MISSING`, `SIGNATURE_INVALID`, `REQUEST_MALFORMED` for keys that are none.
 */
export async function verifySignedChecksums(
  text: Uint8Array,
  signature: Uint8Array | undefined,
  keys: readonly string[],
): Promise<SignedChecksums> {
  const verificationKeys = [...(await readSignatureKeys(keys))];
  if (signature === undefined && !isClearSigned(text)) {
    throw new FetchFault('SIGNATURE_MISSING', 'the list is not clear-signed, and has no signature beside it');
  }
  const signatureBytes =
    signature?.byteLength ?? text.byteLength - Buffer.from(text).lastIndexOf(signatureBegin);
  if (signatureBytes > mostSignatureBytes) {
    throw new FetchFault('SIGNATURE_INVALID', `it has more than ${mostSignatureBytes} bytes`);
  }
  const { createMessage, readCleartextMessage, verify } = await loadOpenpgp();
  const bytes = new Uint8Array(text);
  const decoded = decode(bytes);
  try {
    if (signature === undefined) {
      const message = await readCleartextMessage({ cleartextMessage: decoded });
      const result = await verify({ message, verificationKeys });
      return { text: result.data, signedBy: await firstValid(result.signatures, verificationKeys) };
    }
    const message = await createMessage({ binary: bytes });
    const result = await verify({ message, signature: await readDetached(signature), verificationKeys });
    return { text: decoded, signedBy: await firstValid(result.signatures, verificationKeys) };
  } catch (cause) {
    if (cause instanceof FetchFault) throw cause;
    throw new FetchFault('SIGNATURE_INVALID', 'it is no signature that can be read', { cause });
  }
}

async function readDetached(signature: Uint8Array): Promise<Signature> {
  const { readSignature } = await loadOpenpgp();
  return signature[0]! >= 0x80
    ? await readSignature({ binarySignature: new Uint8Array(signature) })
    : await readSignature({ armoredSignature: Buffer.from(signature).toString('latin1') });
}

interface Verification {
  readonly keyID: { toHex(): string };
  readonly verified: Promise<true>;
  readonly signature: Promise<{ readonly packets: readonly SignaturePacket[] }>;
}

async function firstValid(results: readonly Verification[], keys: readonly PublicKey[]): Promise<SignedBy> {
  let cause: unknown;
  const strangers: string[] = [];
  for (const result of results.slice(0, mostPackets)) {
    const packet = (await result.signature).packets[0];
    const key = packet && claimedKey(packet, keys);
    if (!packet || !key) {
      strangers.push(result.keyID.toHex().toUpperCase());
      continue;
    }
    try {
      await result.verified;
      return signedBy(packet, key);
    } catch (error) {
      cause = error;
    }
  }
  if (cause !== undefined) {
    const found = 'the list is not what was signed, or the key was not valid';
    throw new FetchFault('SIGNATURE_INVALID', found, { cause });
  }
  const by = strangers.length === 0 ? 'nobody' : `key ${strangers.join(', ')}`;
  throw new FetchFault('SIGNATURE_INVALID', `it was made by ${by}, not by one of the configured keys`);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FetchFault('CHECKSUM_LIST_UNUSABLE', 'it is not UTF-8', { cause });
  }
}
