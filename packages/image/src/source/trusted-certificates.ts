import { X509Certificate } from 'node:crypto';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { FetchFault } from '../errors.ts';

/** Reads one of Node's stores; a test gives its own. */
export type ReadStore = (store: 'system' | 'bundled' | 'extra') => readonly string[];

/**
 * The certificates that https sources may be signed by, PEM: the host's own store (what `update-ca-certificates` of the
 * administrator made it, removals included), Node's where the host has none, NODE_EXTRA_CA_CERTS, and those uploaded.
 * Node's `ca` option replaces its roots, so the whole set is made here.
 */
export function trustedCertificates(
  uploaded: readonly string[],
  read: ReadStore = getCACertificates,
): readonly string[] {
  const system = read('system');
  const roots = system.length > 0 ? system : read('bundled');
  return [...new Set([...roots, ...read('extra'), ...uploaded])];
}

/**
 * What connections are verified with. Reading a few hundred certificates takes milliseconds: once per client, not per
 * connection. A certificate that cannot be read is left out, as OpenSSL does it.
 */
export function makeTrust(uploaded: readonly string[], read?: ReadStore): SecureContext {
  return createSecureContext({ ca: [...trustedCertificates(uploaded, read)] });
}

const mostBytes = 256 * 1024;
const mostCertificates = 100;

/**
 * Reads CA certificates somebody uploads or names in a file. Text around them is fine, a private key is not: it must not
 * come to be stored with an image.
 * @param now milliseconds since 1970
 * @returns each certificate as PEM of its own
 * @throws FetchFault `REQUEST_MALFORMED` when it holds none, or one that can never verify anything: unreadable, no CA,
 * expired
 */
export function checkCaPem(text: string, now: number): string[] {
  if (text.length > mostBytes) throw malformed(`they are larger than ${mostBytes} bytes`);
  const kinds = [...text.matchAll(/-----BEGIN ([^-\n]{0,80})-----/g)].map((match) => match[1]);
  if (kinds.length === 0) throw malformed('there is none in PEM form (-----BEGIN CERTIFICATE-----)');
  if (kinds.some((kind) => kind !== 'CERTIFICATE')) {
    throw malformed('only certificates may be in the file, and no private keys in particular');
  }
  if (kinds.length > mostCertificates) throw malformed(`there are more than ${mostCertificates}`);
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length !== kinds.length) throw malformed('a certificate is not complete');
  return blocks.map((block, index) => checkOne(block, `certificate ${index + 1}`, now));
}

function checkOne(block: string, name: string, now: number): string {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(block);
  } catch (error) {
    throw malformed(`${name} cannot be read`, error);
  }
  const signedItself = certificate.checkIssued(certificate);
  if (!certificate.ca && !signedItself) throw malformed(`${name} is not that of a CA`);
  if (certificate.validToDate.getTime() < now) {
    throw malformed(`${name} expired on ${certificate.validToDate.toISOString().slice(0, 10)}`);
  }
  return certificate.toString();
}

function malformed(found: string, cause?: unknown): FetchFault {
  return new FetchFault('REQUEST_MALFORMED', `CA certificates: ${found}`, { cause });
}
