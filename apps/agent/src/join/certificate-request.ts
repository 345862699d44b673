import { generateKeyPair, sign } from 'node:crypto';
import { promisify } from 'node:util';

export interface KeyAndRequest {
  /** PKCS #8, PEM. */
  readonly privateKey: string;
  /** PKCS #10, PEM. */
  readonly certificateRequest: string;
}

/**
 * A new EC P-256 key and a request for a certificate of it. The few lines of DER are written here, since a certificate
 * library would take half as much memory as the whole agent, for one use in a host's life.
 */
export async function makeCertificateRequest(hostName: string): Promise<KeyAndRequest> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  // RFC 2986 §4.1: version 0, subject, key, no attributes
  const info = der.sequence(
    der.integer(0),
    commonName(hostName),
    publicKey.export({ format: 'der', type: 'spki' }),
    der.context(0),
  );
  const signature = sign('sha256', info, privateKey);
  // RFC 5758 §3.2: ecdsa-with-SHA256, without parameters
  const request = der.sequence(
    info,
    der.sequence(der.oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02)),
    der.bits(signature),
  );
  return {
    privateKey: String(privateKey.export({ format: 'pem', type: 'pkcs8' })),
    certificateRequest: pem('CERTIFICATE REQUEST', request),
  };
}

/** RFC 5280 §4.1.2.4 with one attribute, 2.5.4.3. The upper bound of a common name is 64 characters. */
function commonName(text: string): Buffer {
  return der.sequence(der.set(der.sequence(der.oid(0x55, 0x04, 0x03), der.utf8(text.slice(0, 64)))));
}

/** X.690: the encodings that a certificate request is made of. */
const der = {
  sequence: (...parts: readonly Buffer[]) => encode(0x30, ...parts),
  set: (...parts: readonly Buffer[]) => encode(0x31, ...parts),
  context: (tag: number, ...parts: readonly Buffer[]) => encode(0xa0 + tag, ...parts),
  integer: (value: number) => encode(0x02, Buffer.of(value)),
  oid: (...bytes: readonly number[]) => encode(0x06, Buffer.from(bytes)),
  utf8: (text: string) => encode(0x0c, Buffer.from(text)),
  bits: (bytes: Buffer) => encode(0x03, Buffer.of(0), bytes),
} as const;

function encode(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), content]);
  if (length > 0xffff) throw new Error('too long for a certificate request');
  const size = length < 0x100 ? Buffer.of(0x81, length) : Buffer.of(0x82, length >> 8, length & 0xff);
  return Buffer.concat([Buffer.of(tag), size, content]);
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
