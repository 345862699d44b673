import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasErrorCode, MillraceError } from '@millrace/core';

/** What every sealed text begins with; the key's name follows. */
export const sealedPrefix = 'sealed:1:';

const cipher = 'aes-256-gcm';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/** Seals texts for the database, so that a dump of it, or a disk of its machine, tells no secret. */
export interface SecretKeys {
  /**
   * What texts sealed now begin with. The key's name in it is derived from the key: nobody without the key can make up a
   * text that is taken for a sealed one.
   */
  readonly current: string;
  seal(text: string, as?: SealedAs): string;
  /**
   * @returns the text, or what the JSON says; any text that none of these keys has sealed comes back as it is
   * @throws MillraceError `SECRET_DAMAGED` when it was sealed with one of them and changed afterwards
   */
  unseal(text: string): unknown;
}

export type SealedAs = 'text' | 'json';

/**
 * AES-256-GCM (NIST SP 800-38D) with a random nonce a text. The first key seals, all of them open.
 * @param keys of 32 bytes each
 */
export function secretKeys(keys: readonly [Buffer, ...Buffer[]]): SecretKeys {
  const byName = new Map(keys.map((key) => [nameOf(key), key]));
  const current = `${sealedPrefix}${nameOf(keys[0])}:`;
  return {
    current,
    seal(text, as = 'text') {
      const nonce = randomBytes(nonceBytes);
      const sealing = createCipheriv(cipher, keys[0], nonce).setAAD(Buffer.from(as));
      const sealed = Buffer.concat([
        nonce,
        sealing.update(text, 'utf8'),
        sealing.final(),
        sealing.getAuthTag(),
      ]);
      return `${current}${as}:${sealed.toString('base64url')}`;
    },
    unseal(text) {
      if (!text.startsWith(sealedPrefix)) return text;
      const [name = '', as = '', content = ''] = text.slice(sealedPrefix.length).split(':', 3);
      const key = byName.get(name);
      if (key === undefined) return text;
      const unsealed = unsealWith(key, as, Buffer.from(content, 'base64url'));
      return as === 'json' ? JSON.parse(unsealed) : unsealed;
    },
  };
}

function unsealWith(key: Buffer, as: string, sealed: Buffer): string {
  try {
    const nonce = sealed.subarray(0, nonceBytes);
    const opening = createDecipheriv(cipher, key, nonce, { authTagLength: tagBytes });
    opening.setAAD(Buffer.from(as));
    opening.setAuthTag(sealed.subarray(-tagBytes));
    return opening.update(sealed.subarray(nonceBytes, -tagBytes), undefined, 'utf8') + opening.final('utf8');
  } catch (cause) {
    throw new MillraceError('SECRET_DAMAGED', 'a sealed secret in the database was changed from outside', {
      cause,
    });
  }
}

function nameOf(key: Buffer): string {
  return createHmac('sha256', key).update('millrace key name').digest('base64url').slice(0, 16);
}

/**
 * Reads a file with one key a line (32 bytes in base64: `openssl rand -base64 32`), `#` beginning a comment.
 * @returns undefined when there is no file
 * @throws MillraceError `SECRET_KEY_UNUSABLE`
 */
export async function readSecretKeys(path: string): Promise<SecretKeys | undefined> {
  const refuse = (problem: string) =>
    new MillraceError('SECRET_KEY_UNUSABLE', `the key file ${path} ${problem}`);
  try {
    const { mode } = await stat(path);
    if ((mode & 0o007) !== 0) throw refuse('can be read by everybody on this machine: chmod 600 it');
    const lines = (await readFile(path, 'utf8')).split('\n').map((line) => line.replace(/#.*/, '').trim());
    const [first, ...others] = lines.filter((line) => line !== '').map((line) => Buffer.from(line, 'base64'));
    if (first === undefined) throw refuse('holds no key');
    if ([first, ...others].some((key) => key.length !== keyBytes))
      throw refuse('must have 32 bytes in base64 on each line: openssl rand -base64 32');
    return secretKeys([first, ...others]);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    if (error instanceof MillraceError) throw error;
    throw refuse(`cannot be read: ${String(error)}`);
  }
}

/** Makes a key and keeps it in a file that was not there. Durable before it returns: what it seals depends on it. */
export async function createSecretKeys(path: string): Promise<SecretKeys> {
  const key = randomBytes(keyBytes);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  const file = await open(temporary, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
  try {
    await file.writeFile(
      `# Seals secrets in Millrace's database. Without it they are lost.\n${key.toString('base64')}\n`,
    );
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const directory = await open(dirname(path), constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
  return secretKeys([key]);
}
