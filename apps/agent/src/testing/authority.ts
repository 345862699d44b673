import 'reflect-metadata';
import { createHash, webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** A CA for tests that admits hosts as a server does. */
export interface TestAuthority {
  /** PEM. */
  readonly certificate: string;
  readonly fingerprint: string;
  /** Signs the key of a PKCS #10 request for a host. `days` may be negative: a certificate that has ended. */
  issueHost(certificateRequest: string, hostUuid: string, days?: number): Promise<string>;
  /** A server's key and chain, leaf first. */
  issueServer(dnsName: string): Promise<{ key: string; cert: string }>;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const dayMs = 24 * 3600_000;

export async function makeTestAuthority(): Promise<TestAuthority> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const ca = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=test authority',
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 10 * dayMs),
    notAfter: new Date(Date.now() + 10 * dayMs),
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  });
  const issue = (publicKey: webcrypto.CryptoKey, subject: string, days: number, dnsName?: string) =>
    X509CertificateGenerator.create({
      subject: `CN=${subject}`,
      issuer: ca.subject,
      publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: algorithm,
      notBefore: new Date(Date.now() - 5 * dayMs),
      notAfter: new Date(Date.now() + days * dayMs),
      extensions: dnsName ? [new SubjectAlternativeNameExtension([{ type: 'dns', value: dnsName }])] : [],
    });
  return {
    certificate: ca.toString('pem'),
    fingerprint: createHash('sha256').update(new Uint8Array(ca.rawData)).digest('hex'),
    async issueHost(certificateRequest, hostUuid, days = 5) {
      const request = new Pkcs10CertificateRequest(certificateRequest);
      if (!(await request.verify())) throw new Error('the request does not prove its key');
      const certificate: X509Certificate = await issue(await request.publicKey.export(), hostUuid, days);
      return certificate.toString('pem');
    },
    async issueServer(dnsName) {
      const own = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
      const certificate = await issue(own.publicKey, 'server', 5, dnsName);
      const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', own.privateKey)).toString('base64');
      return {
        key: `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`,
        cert: `${certificate.toString('pem')}\n${ca.toString('pem')}\n`,
      };
    },
  };
}
