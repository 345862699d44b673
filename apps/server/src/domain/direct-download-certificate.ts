import { X509Certificate } from 'node:crypto';
import { invalidParameter } from '@millrace/api';

/** What CloudStack keeps its own certificates under. */
const reservedAlias = /^(cloud|cloudca.*)$/i;
const mostCharacters = 64 * 1024;

/** @throws ApiError 431 */
export function certificateAlias(text: string): string {
  const alias = text.trim();
  if (!/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$/.test(alias)) {
    throw invalidParameter('name', 'must be 1 to 100 letters, digits, spaces, and . _ -');
  }
  if (reservedAlias.test(alias)) throw invalidParameter('name', `${alias} is reserved`);
  return alias;
}

/**
 * A certificate that image sources may be signed by, from PEM or the bare Base64 of its DER.
 * @param now milliseconds since 1970
 * @returns PEM
 * @throws ApiError 431 for what can verify nothing: no certificate, several, a private key, expired, neither a CA's nor self-signed
 */
export function sourceCertificate(text: string, now: number): string {
  const refuse = (rule: string) => invalidParameter('certificate', rule);
  if (text.length > mostCharacters) throw refuse(`must not be longer than ${mostCharacters} characters`);
  if (/PRIVATE KEY/.test(text)) throw refuse('holds a private key: nobody but its owner should have it');
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length > 1) throw refuse(`must be one certificate, not ${blocks.length}: upload each by itself`);
  const bare = text.replaceAll(/\s+/g, '');
  if (blocks.length === 0 && !/^[A-Za-z0-9+/]+={0,2}$/.test(bare)) {
    throw refuse('must be PEM (-----BEGIN CERTIFICATE-----) or the Base64 of a certificate');
  }
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(blocks[0] ?? Buffer.from(bare, 'base64'));
  } catch {
    throw refuse('cannot be read as a certificate');
  }
  const { validFromDate, validToDate } = certificate;
  if (validToDate.getTime() <= now) throw refuse(`ended on ${validToDate.toISOString()}`);
  if (validFromDate.getTime() > now) throw refuse(`is not valid before ${validFromDate.toISOString()}`);
  const selfSigned = certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey);
  if (!certificate.ca && !selfSigned) {
    throw refuse(
      'is neither a CA’s nor self-signed, so nothing can be verified by it: upload the one that issued it',
    );
  }
  return certificate.toString();
}

export interface CertificateFacts {
  readonly version: string;
  readonly subject: string;
  readonly issuer: string;
  readonly validity: string;
  readonly serialnum: string;
}

/** What CloudStack tells of a certificate. */
export function certificateFacts(pem: string): CertificateFacts {
  const { subject, issuer, validFrom, validTo, serialNumber } = new X509Certificate(pem);
  const oneLine = (name: string) => name.split('\n').toReversed().join(', ');
  return {
    version: '3',
    subject: oneLine(subject),
    issuer: oneLine(issuer),
    validity: `From: [${validFrom}] - To: [${validTo}]`,
    // a decimal number, as Java prints it
    serialnum: BigInt(`0x${serialNumber}`).toString(),
  };
}
