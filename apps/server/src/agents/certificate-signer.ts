import 'reflect-metadata';
import { createPrivateKey, type KeyObject, randomBytes, webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { MillraceError } from '@millrace/core';
import * as x509 from '@peculiar/x509';

/**
 * Everything that makes certificates. Loaded only when one has to be made: the library costs memory that an idle
 * server has no use for.
 */

const signing = { name: 'ECDSA', hash: 'SHA-256' } as const;
const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const day = 24 * 3600 * 1000;
const caLifetimeMs = 20 * 365 * day;
const serverLifetimeMs = 397 * day;
/** A host's identity: it ends by removing the host, which is checked at every connection. */
const hostLifetimeMs = 10 * 365 * day;
/** Clocks of hosts may be behind. */
const backdateMs = 3600 * 1000;
const largestRequestedRsaBits = 8192;

export interface KeyAndCertificate {
  readonly key: string;
  readonly certificate: string;
}

/** A self-signed CA that may sign leaf certificates and nothing below them. */
export async function createAuthority(name: string): Promise<KeyAndCertificate> {
  const keys = await webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [name] }],
    ...validFor(caLifetimeMs),
    keys,
    signingAlgorithm: signing,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { key: await exportKey(keys.privateKey), certificate: certificate.toString('pem') };
}

/** A server certificate for these DNS names and IP addresses. */
export async function issueServerCertificate(
  authority: KeyAndCertificate,
  names: readonly string[],
): Promise<KeyAndCertificate> {
  const keys = await webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
  const certificate = await issue(authority, {
    commonName: names[0]!,
    publicKey: keys.publicKey,
    lifetimeMs: serverLifetimeMs,
    purpose: x509.ExtendedKeyUsage.serverAuth,
    names,
  });
  return { key: await exportKey(keys.privateKey), certificate };
}

/**
 * Signs a host's key. Of the request only the key is taken; the name is ours.
 * @returns PEM
 * @throws MillraceError `CERTIFICATE_REQUEST_REFUSED`
 */
export async function issueHostCertificate(
  authority: KeyAndCertificate,
  request: { readonly pem: string; readonly hostUuid: string },
): Promise<string> {
  const publicKey = await requestedKey(request.pem);
  return issue(authority, {
    commonName: request.hostUuid,
    publicKey,
    lifetimeMs: hostLifetimeMs,
    purpose: x509.ExtendedKeyUsage.clientAuth,
    names: [],
  });
}

async function requestedKey(pem: string): Promise<x509.PublicKey> {
  try {
    const request = new x509.Pkcs10CertificateRequest(pem);
    if (!(await request.verify())) throw refused('its signature does not fit its key');
    const algorithm = request.publicKey.algorithm as { name: string; modulusLength?: number };
    const good =
      algorithm.name === 'ECDSA' ||
      algorithm.name === 'Ed25519' ||
      (algorithm.name.startsWith('RSA') &&
        (algorithm.modulusLength ?? 0) >= 2048 &&
        (algorithm.modulusLength ?? 0) <= largestRequestedRsaBits);
    if (!good) throw refused(`keys of the kind ${algorithm.name} are not accepted`);
    return request.publicKey;
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    throw refused('it is no PKCS #10 request', error);
  }
}

function refused(reason: string, cause?: unknown): MillraceError {
  return new MillraceError(
    'CERTIFICATE_REQUEST_REFUSED',
    `the certificate request is refused: ${reason}`,
    cause === undefined ? {} : { cause },
  );
}

async function issue(
  authority: KeyAndCertificate,
  options: {
    readonly commonName: string;
    readonly publicKey: x509.PublicKeyType;
    readonly lifetimeMs: number;
    readonly purpose: x509.ExtendedKeyUsage;
    readonly names: readonly string[];
  },
): Promise<string> {
  const issuer = new x509.X509Certificate(authority.certificate);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    issuer: issuer.subject,
    subject: [{ CN: [options.commonName] }],
    ...validFor(options.lifetimeMs),
    publicKey: options.publicKey,
    signingKey: await importKey(createPrivateKey(authority.key)),
    signingAlgorithm: signing,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([options.purpose]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(options.publicKey),
      ...(options.names.length === 0
        ? []
        : [
            new x509.SubjectAlternativeNameExtension(
              options.names.map((name) => ({ type: isIP(name) === 0 ? 'dns' : 'ip', value: name })),
            ),
          ]),
    ],
  });
  return certificate.toString('pem');
}

function validFor(lifetimeMs: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - backdateMs), notAfter: new Date(now + lifetimeMs) };
}

/** Positive and never shorter than it looks: the first bit is 0 and the first byte is not. */
function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toString('hex');
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  return `-----BEGIN PRIVATE KEY-----\n${der.toString('base64').replaceAll(/.{64}/g, '$&\n').trimEnd()}\n-----END PRIVATE KEY-----\n`;
}

function importKey(key: KeyObject): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey(
    'pkcs8',
    key.export({ format: 'der', type: 'pkcs8' }),
    keyAlgorithm,
    false,
    ['sign'],
  );
}
