import { X509Certificate } from 'node:crypto';
import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrorCode, MillraceError } from '@millrace/core';
import { z } from 'zod';

const identitySchema = z.object({
  hostUuid: z.uuid(),
  /** PEM, all three. */
  privateKey: z.string().startsWith('-----BEGIN PRIVATE KEY-----'),
  certificate: z.string().startsWith('-----BEGIN CERTIFICATE-----'),
  caCertificate: z.string().startsWith('-----BEGIN CERTIFICATE-----'),
});

/** Who this host is to the server: what joining gave it. */
export type Identity = Readonly<z.infer<typeof identitySchema>>;

export function identityPath(stateDir: string): string {
  return join(stateDir, 'identity.json');
}

/** Makes the state directory, closed to everybody else. */
export async function openStateDir(stateDir: string): Promise<void> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  // it may have been there, wider
  await chmod(stateDir, 0o700);
}

/**
 * The identity, or `undefined` when this host has not joined.
 * @throws MillraceError `IDENTITY_DAMAGED`
 */
export async function loadIdentity(stateDir: string): Promise<Identity | undefined> {
  const path = identityPath(stateDir);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const identity = identitySchema.parse(JSON.parse(text));
    expiryOf(identity);
    return identity;
  } catch (error) {
    throw new MillraceError(
      'IDENTITY_DAMAGED',
      `${path} is damaged: remove it and join this host again with a new join token`,
      { cause: error },
    );
  }
}

/** Stores the identity as one file, so that a crash leaves the old one or the new one whole. */
export async function storeIdentity(stateDir: string, identity: Identity): Promise<void> {
  const path = identityPath(stateDir);
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(`${JSON.stringify(identity, undefined, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const directory = await open(stateDir, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** When the host's certificate ends. */
export function expiryOf(identity: Identity): Date {
  return new Date(new X509Certificate(identity.certificate).validTo);
}
