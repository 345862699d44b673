import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, mkdtemp, open, readFile, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { hasErrorCode, MillraceError } from '@millrace/core';
import type { Database } from '../store/database.ts';
import { agreeOnAuthority } from '../store/shared-authority.ts';
import type { KeyAndCertificate } from './certificate-signer.ts';

/** The name that agents check the server's certificate for, whatever address they reach it by. */
export const serverCertificateName = 'millrace-server';

export interface CertificateAuthority {
  /** PEM. */
  readonly certificate: string;
  /** SHA-256 of the DER certificate, lower-case hex: what a join token carries. */
  readonly fingerprint: string;
  /** The agent port's key and chain (leaf first), issued anew when the kept one is near its end or lacks a name. */
  serverCertificate(): Promise<KeyAndCertificate>;
  /** @throws MillraceError `CERTIFICATE_REQUEST_REFUSED` */
  issueHostCertificate(request: { readonly pem: string; readonly hostUuid: string }): Promise<string>;
}

const renewBeforeMs = 60 * 24 * 3600 * 1000;
const files = { key: 'ca-key.pem', certificate: 'ca.pem' } as const;
const serverFiles = { key: 'server-key.pem', certificate: 'server.pem' } as const;

/**
 * Opens the CA of all servers of this database. The first server brings its own, a new one makes a copy in its data
 * directory.
 * @throws MillraceError `CA_DIFFERS` when the data directory holds another one: its hosts would trust this server no more
 */
export async function openSharedAuthority(
  database: Database,
  dataDir: string,
): Promise<CertificateAuthority> {
  const directory = join(dataDir, 'ca');
  const local = await readPair(directory, files);
  const agreed = await agreeOnAuthority(database, async () => local ?? (await newAuthority()));
  const own = local ?? (await install(dataDir, directory, agreed));
  if (fingerprintOf(own) !== fingerprintOf(agreed))
    throw new MillraceError(
      'CA_DIFFERS',
      `the CA in ${directory} is not the one in the database: start this server with the data directory or the database that belongs to the other, or move ${directory} away to use the database's CA`,
    );
  return await openCertificateAuthority(dataDir);
}

/**
 * Opens the CA in `<dataDir>/ca`, creating it when there is none. Several processes may do so at once: the directory
 * appears whole, and all but the first use the first's.
 */
export async function openCertificateAuthority(dataDir: string): Promise<CertificateAuthority> {
  const directory = join(dataDir, 'ca');
  const authority =
    (await readPair(directory, files)) ?? (await install(dataDir, directory, await newAuthority()));
  const parsed = new X509Certificate(authority.certificate);
  return {
    certificate: authority.certificate,
    fingerprint: fingerprintOf(authority),
    async serverCertificate() {
      const names = [...new Set([serverCertificateName, 'localhost', hostname(), '127.0.0.1', '::1'])];
      const kept = await readPair(directory, serverFiles);
      const leaf = kept && isGood(kept, parsed, names) ? kept : await renew(authority, directory, names);
      return { key: leaf.key, certificate: `${leaf.certificate.trimEnd()}\n${authority.certificate}` };
    },
    async issueHostCertificate(request) {
      const signer = await import('./certificate-signer.ts');
      return signer.issueHostCertificate(authority, request);
    },
  };
}

function isGood(pair: KeyAndCertificate, issuer: X509Certificate, names: readonly string[]): boolean {
  const certificate = new X509Certificate(pair.certificate);
  return (
    certificate.checkIssued(issuer) &&
    certificate.verify(issuer.publicKey) &&
    certificate.validToDate.getTime() - Date.now() > renewBeforeMs &&
    names.every((name) => (/^[\d.]+$|:/.test(name) ? certificate.checkIP(name) : certificate.checkHost(name)))
  );
}

async function renew(
  authority: KeyAndCertificate,
  directory: string,
  names: readonly string[],
): Promise<KeyAndCertificate> {
  const signer = await import('./certificate-signer.ts');
  const pair = await signer.issueServerCertificate(authority, names);
  // the key last: a crash in between leaves a certificate that does not fit it, which is noticed and replaced
  await writeSecret(join(directory, `${serverFiles.certificate}.new`), pair.certificate);
  await rename(join(directory, `${serverFiles.certificate}.new`), join(directory, serverFiles.certificate));
  await writeSecret(join(directory, `${serverFiles.key}.new`), pair.key);
  await rename(join(directory, `${serverFiles.key}.new`), join(directory, serverFiles.key));
  return pair;
}

function fingerprintOf({ certificate }: KeyAndCertificate): string {
  return createHash('sha256').update(new X509Certificate(certificate).raw).digest('hex');
}

async function newAuthority(): Promise<KeyAndCertificate> {
  const signer = await import('./certificate-signer.ts');
  return await signer.createAuthority('Millrace CA');
}

/** @returns the pair, or that of another process that was faster */
async function install(
  dataDir: string,
  directory: string,
  pair: KeyAndCertificate,
): Promise<KeyAndCertificate> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const draft = await mkdtemp(join(dataDir, 'ca-draft-'));
  try {
    await writeSecret(join(draft, files.key), pair.key);
    await writeSecret(join(draft, files.certificate), pair.certificate);
    await syncDirectory(draft);
    await rename(draft, directory);
    await syncDirectory(dataDir);
    return pair;
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!hasErrorCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    const other = await readPair(directory, files);
    if (!other) throw error;
    return other;
  }
}

/** Reads a key and a certificate that belong together. */
async function readPair(
  directory: string,
  names: { readonly key: string; readonly certificate: string },
): Promise<KeyAndCertificate | undefined> {
  try {
    const [key, certificate] = await Promise.all([
      readFile(join(directory, names.key), 'utf8'),
      readFile(join(directory, names.certificate), 'utf8'),
    ]);
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))
      ? { key, certificate }
      : undefined;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function writeSecret(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
