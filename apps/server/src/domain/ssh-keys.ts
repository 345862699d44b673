import {
  constants,
  createHash,
  createPublicKey,
  generateKeyPair,
  type KeyObject,
  publicEncrypt,
} from 'node:crypto';
import { promisify } from 'node:util';
import { invalidParameter } from '@millrace/api';

export interface PublicKey {
  /** As a line of `authorized_keys`. */
  readonly line: string;
  /** MD5 of the key, as CloudStack shows it: pairs of hex digits with colons between them. */
  readonly fingerprint: string;
  /** Passwords can be encrypted with an RSA key only. */
  readonly rsa: KeyObject | undefined;
}

const rsaBits = { least: 1024, most: 16_384 };
/** Bytes of a point, uncompressed, on each curve (RFC 5656 §3.1). */
const curvePoints: Readonly<Record<string, number>> = { nistp256: 65, nistp384: 97, nistp521: 133 };
const kinds =
  'ssh-rsa, ssh-ed25519, ecdsa-sha2-nistp256, -384 or -521, sk-ssh-ed25519@openssh.com or sk-ecdsa-sha2-nistp256@openssh.com';

/**
 * Reads a public key: one line `type base64 comment`, or Base64 of one, which CloudStack takes too. It ends up in a
 * guest's `authorized_keys`, so it must be one line that begins with its type: no options, no second line.
 * @throws ApiError 431
 */
export function parsePublicKey(param: string, text: string): PublicKey {
  const trimmed = text.trim();
  const line = trimmed.includes(' ') ? trimmed : Buffer.from(trimmed, 'base64').toString('utf8').trim();
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ufffd]/u.test(line)) throw unreadable(param);
  const [type = '', encoded = '', ...comment] = line.split(/ +/);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) throw unreadable(param);
  const blob = Buffer.from(encoded, 'base64');
  const fields = sshFields(blob);
  if (!fields || fields[0]?.toString('latin1') !== type) throw unreadable(param);
  const rsa = type === 'ssh-rsa' ? rsaKey(param, fields) : undefined;
  if (!rsa && !isOtherKey(type, fields)) throw unreadable(param);
  return {
    line: [type, blob.toString('base64'), ...comment].join(' '),
    fingerprint: createHash('md5')
      .update(blob)
      .digest('hex')
      .replaceAll(/..(?=.)/g, '$&:'),
    rsa,
  };
}

function unreadable(param: string) {
  return invalidParameter(param, `must be one line of an SSH public key (${kinds}), without options`);
}

/** The strings of an SSH message (RFC 4251 §5); undefined when they do not fill it exactly. */
function sshFields(blob: Buffer): Buffer[] | undefined {
  const fields: Buffer[] = [];
  let at = 0;
  while (at < blob.length) {
    if (at + 4 > blob.length) return undefined;
    const end = at + 4 + blob.readUInt32BE(at);
    if (end > blob.length) return undefined;
    fields.push(blob.subarray(at + 4, end));
    at = end;
  }
  return fields;
}

/** `ssh-rsa`, e, n (RFC 4253 §6.6). Tried out, so that no password fails to be encrypted later. */
function rsaKey(param: string, [, e, n, ...rest]: readonly Buffer[]): KeyObject {
  if (!e || !n || rest.length > 0) throw unreadable(param);
  const bits = BigInt(`0x${n.toString('hex') || '0'}`).toString(2).length;
  if (bits < rsaBits.least || bits > rsaBits.most) {
    throw invalidParameter(param, `an RSA key must have ${rsaBits.least} to ${rsaBits.most} bits`);
  }
  try {
    const number = (bytes: Buffer) => {
      const start = bytes.findIndex((byte) => byte !== 0);
      return bytes.subarray(Math.max(start, 0)).toString('base64url');
    };
    const key = createPublicKey({ key: { kty: 'RSA', e: number(e), n: number(n) }, format: 'jwk' });
    encryptPassword(key, 'a password');
    return key;
  } catch {
    throw unreadable(param);
  }
}

function isOtherKey(type: string, fields: readonly Buffer[]): boolean {
  const [, first, second, third] = fields;
  switch (type) {
    case 'ssh-ed25519':
      return fields.length === 2 && first?.length === 32;
    case 'sk-ssh-ed25519@openssh.com':
      return fields.length === 3 && first?.length === 32;
    case 'sk-ecdsa-sha2-nistp256@openssh.com':
      return fields.length === 4 && second?.length === 65 && third !== undefined;
    default: {
      const curve = /^ecdsa-sha2-(nistp\d+)$/.exec(type)?.[1];
      if (curve === undefined || fields.length !== 3) return false;
      return first?.toString('latin1') === curve && second?.length === curvePoints[curve];
    }
  }
}

/** What getVMPassword tells: RSA with PKCS#1 v1.5 padding, as CloudStack's RSAHelper does, in Base64. */
export function encryptPassword(key: KeyObject, password: string): string {
  return publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, Buffer.from(password)).toString(
    'base64',
  );
}

/** A new RSA pair, its private half in the PEM that CloudStack gives (PKCS#1). */
export async function makeKeyPair(): Promise<{ readonly publicKey: string; readonly privateKey: string }> {
  const pair = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const { e, n } = pair.publicKey.export({ format: 'jwk' });
  const parts = ['ssh-rsa', Buffer.from(String(e), 'base64url'), Buffer.from(String(n), 'base64url')];
  const blob = Buffer.concat(parts.flatMap((part) => sshString(part)));
  return {
    publicKey: `ssh-rsa ${blob.toString('base64')}`,
    privateKey: pair.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
  };
}

function sshString(value: string | Buffer): Buffer[] {
  const bytes = Buffer.from(value);
  // numbers are signed: a leading one bit needs a zero before it
  const signed = bytes[0]! >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(signed.length);
  return [length, signed];
}
