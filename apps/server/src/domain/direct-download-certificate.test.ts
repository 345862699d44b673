import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAuthority } from '../agents/certificate-signer.ts';
import { sourceCertificate } from './direct-download-certificate.ts';

test('a certificate that has ended, or has not begun, verifies nothing', async () => {
  const { certificate } = await createAuthority('Images');
  const day = 24 * 3600_000;
  assert.match(sourceCertificate(certificate, Date.now()), /^-----BEGIN CERTIFICATE-----/);
  assert.throws(
    () => sourceCertificate(certificate, Date.now() + 40 * 365 * day),
    /certificate: ended on \d{4}-/,
  );
  assert.throws(
    () => sourceCertificate(certificate, Date.now() - 30 * day),
    /certificate: is not valid before/,
  );
});
