import { createHash } from 'node:crypto';
import { type Digest, type DigestAlgorithm, digestAlgorithmOf, digestAlgorithms } from '@millrace/core';
import { type FileSignature, pgpMediaType } from '@millrace/metalink';
import type { PublicKey, SignaturePacket } from 'openpgp';
import { FetchFault } from '../errors.ts';
import { claimedKey, loadOpenpgp, readSignatureKeys, type SignedBy, signedBy } from './signature-keys.ts';

/**
 * A metalink's `<signature>` is a detached signature over the *file* that its `<file>` describes (RFC 5854 §4.2.13): over
 * the bytes as they are published and transferred, compressed where they are, not over the metalink. So it proves nothing
 * about mirrors, sizes or digests before the last byte has arrived, and everything about the image afterwards. It does
 * not sign a name or a version: an older image that the same key has signed passes too, unless a digest is given as well.
 *
 * An OpenPGP signature is over a hash of the bytes followed by a few bytes of its own. Whoever hashes the transfer can
 * therefore prepare the check at the price of one more `Hash.copy()`, or of one more hash if the algorithms differ.
 */
export interface PreparedSignature {
  /** By what the bytes of the file, followed by `suffix`, have to be hashed. */
  readonly algorithm: DigestAlgorithm;
  readonly suffix: Buffer;
  /**
   * Concludes, given the digest of bytes and suffix. May be asked again for the bytes of another attempt.
   * @throws FetchFault `SIGNATURE_MISMATCH`
   */
  verify(digest: Digest): Promise<SignedBy>;
}

const mostPackets = 16;
/** Version 4 is what every signing tool writes by default; those of version 6 hash a salt first. */
const checkedVersion = 4;

/**
 * Reads a metalink's signature and finds the configured key that has to verify it, before a byte is transferred.
 * `keys`: armoured public keys, at least one.
 * @throws FetchFault `SIGNATURE_MISSING` without a signature; `SIGNATURE_INVALID` when none of the keys could have made it, or
 *   not in a way that is accepted; `REQUEST_MALFORMED` for keys that are none.
 */
export async function prepareMetalinkSignature(
  signature: FileSignature | undefined,
  keys: readonly string[],
): Promise<PreparedSignature> {
  const publicKeys = await readSignatureKeys(keys);
  if (signature === undefined) {
    throw new FetchFault('SIGNATURE_MISSING', 'the metalink has no OpenPGP signature of the file');
  }
  if (signature.mediaType !== pgpMediaType) {
    throw new FetchFault(
      'SIGNATURE_INVALID',
      `signatures of type ${JSON.stringify(signature.mediaType)} are not checked`,
    );
  }
  const problems: string[] = [];
  for (const packet of await readPackets(signature.text)) {
    const prepared = await prepare(packet, publicKeys);
    if (typeof prepared !== 'string') return prepared;
    problems.push(prepared);
  }
  throw new FetchFault('SIGNATURE_INVALID', problems.join('; ') || 'there is no signature in it');
}

export interface SignatureCheck {
  /** To be given every byte of the file, in order. */
  update(chunk: Uint8Array): void;
  /** To be called once, after the last byte. @throws FetchFault `SIGNATURE_MISMATCH` */
  finish(): Promise<SignedBy>;
}

/** Hashes beside a transfer on the calling thread. */
export function makeSignatureCheck(prepared: PreparedSignature): SignatureCheck {
  const hash = createHash(digestAlgorithms[prepared.algorithm].nodeName);
  return {
    update: (chunk) => {
      hash.update(chunk);
    },
    finish: () =>
      prepared.verify({ algorithm: prepared.algorithm, hex: hash.update(prepared.suffix).digest('hex') }),
  };
}

/**
 * The whole check for bytes that are there: a stream, or a file read once more before it is committed.
 * @throws as `prepareMetalinkSignature` and `PreparedSignature.verify`; the signal's reason when aborted
 */
export async function verifyMetalinkSignature(
  file: {
    readonly signature: FileSignature | undefined;
    readonly keys: readonly string[];
    readonly bytes: AsyncIterable<Uint8Array>;
  },
  { signal }: { readonly signal: AbortSignal },
): Promise<SignedBy> {
  const check = makeSignatureCheck(await prepareMetalinkSignature(file.signature, file.keys));
  for await (const chunk of file.bytes) {
    signal.throwIfAborted();
    check.update(chunk);
  }
  signal.throwIfAborted();
  return await check.finish();
}

async function readPackets(armour: string): Promise<readonly SignaturePacket[]> {
  const { enums, readSignature } = await loadOpenpgp();
  // inside XML the lines may be indented
  const armoredSignature = armour.replaceAll(/^[ \t]+|[ \t]+$/gm, '');
  try {
    const { packets } = await readSignature({ armoredSignature });
    return packets.filterByTag(enums.packet.signature).slice(0, mostPackets);
  } catch (cause) {
    throw new FetchFault('SIGNATURE_INVALID', 'it is no armoured OpenPGP signature', { cause });
  }
}

/** The check that a packet asks for, or why it cannot be made. */
async function prepare(
  packet: SignaturePacket,
  keys: readonly PublicKey[],
): Promise<PreparedSignature | string> {
  const { enums } = await loadOpenpgp();
  const issuer = packet.issuerKeyID.toHex().toUpperCase();
  const key = claimedKey(packet, keys);
  if (key === undefined) return `it was made by key ${issuer}, which is not among the configured ones`;
  if (packet.version !== checkedVersion || packet.signatureData === null) {
    return `that of key ${issuer} has version ${packet.version}, only version ${checkedVersion} is checked`;
  }
  if (packet.signatureType !== enums.signature.binary)
    return `that of key ${issuer} is not one over a binary file`;
  const hashName =
    Object.entries(enums.hash).find(([, id]) => id === packet.hashAlgorithm)?.[0] ?? 'an unknown hash';
  const algorithm = digestAlgorithmOf(hashName);
  if (algorithm === undefined || algorithm === 'MD5' || algorithm === 'SHA-1') {
    return `that of key ${issuer} hashes with ${hashName}, which is not accepted`;
  }
  const invalid = await reasonAgainst(packet, key);
  if (invalid !== undefined) return `that of key ${issuer} ${invalid}`;
  const signed = Buffer.from(packet.signatureData);
  const trailer = Buffer.from([checkedVersion, 0xff, 0, 0, 0, 0]);
  trailer.writeUInt32BE(signed.length, 2);
  return {
    algorithm,
    suffix: Buffer.concat([signed, trailer]),
    verify: (digest) => verifyHashed(packet, key, { algorithm, digest }),
  };
}

/** What is wrong with a signature or its key whatever the bytes are: known before they are transferred. */
async function reasonAgainst(packet: SignaturePacket, key: PublicKey): Promise<string | undefined> {
  if (packet.isExpired()) return 'is expired, or from the future';
  try {
    // by the date of the signature: a key that has expired since still vouches for what it signed in time
    await key.getSigningKey(packet.issuerKeyID, packet.created ?? undefined);
    return undefined;
  } catch {
    return 'was made while the key was not valid, or by a key that is revoked';
  }
}

/**
 * Has OpenPGP verify the packet, with all it checks of key and signature, by a hash that was computed elsewhere: `hashed` is
 * where the library itself puts the hash of bytes that it has streamed. If it ever stopped looking there, it would hash
 * the empty message below instead, and every signature would be refused.
 */
async function verifyHashed(
  packet: SignaturePacket,
  key: PublicKey,
  { algorithm, digest }: { readonly algorithm: DigestAlgorithm; readonly digest: Digest },
): Promise<SignedBy> {
  if (digest.algorithm !== algorithm)
    throw new Error(`a ${algorithm} digest is needed, not ${digest.algorithm}`);
  const { createMessage, PacketList, Signature, verify } = await loadOpenpgp();
  Object.assign(packet, { hashed: new Uint8Array(Buffer.from(digest.hex, 'hex')) });
  const packets = new PacketList<SignaturePacket>();
  packets.push(packet);
  const message = await createMessage({ binary: new Uint8Array(0) });
  const verified = await verify({ message, signature: new Signature(packets), verificationKeys: [key] });
  if (verified.signatures.length !== 1) throw new Error('the one signature was not looked at');
  try {
    await verified.signatures[0]?.verified;
  } catch (cause) {
    throw new FetchFault('SIGNATURE_MISMATCH', `by key ${packet.issuerKeyID.toHex().toUpperCase()}`, {
      cause,
    });
  }
  return signedBy(packet, key);
}
