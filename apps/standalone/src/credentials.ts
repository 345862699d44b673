import { randomBytes } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isJsonObject, textMember } from '@millrace/api-client';
import { hasErrorCode, MillraceError } from '@millrace/core';

/** What the first start makes up for the administrator. Secret. */
export interface Credentials {
  readonly apiKey: string;
  readonly secretKey: string;
  /** Kept only until it has been shown. */
  readonly password?: string;
}

const fileName = 'first-start.json';

/**
 * Reads the instance's credentials, or makes them up and stores them before anything uses them: a start that is cut
 * short anywhere goes on with the same ones, and still shows the password.
 * @throws MillraceError `CREDENTIALS_DAMAGED`
 */
export async function loadCredentials(dataDirectory: string): Promise<Credentials> {
  const path = join(dataDirectory, fileName);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT')) throw error;
    const made: Credentials = {
      apiKey: token(48),
      secretKey: token(48),
      password: token(15),
    };
    await writePrivateFile(path, `${JSON.stringify(made, undefined, 2)}\n`);
    return made;
  }
  try {
    const content: unknown = JSON.parse(text);
    if (isJsonObject(content)) {
      const apiKey = textMember(content, 'apiKey');
      const secretKey = textMember(content, 'secretKey');
      const password = textMember(content, 'password');
      if (apiKey && secretKey) return { apiKey, secretKey, ...(password === undefined ? {} : { password }) };
    }
  } catch {
    // told below, like everything else that is wrong with it
  }
  throw new MillraceError(
    'CREDENTIALS_DAMAGED',
    `${path} is damaged. Put it back from a backup, or remove this instance with npm run reset.`,
  );
}

/** Takes the password out of the file once it has been shown. */
export async function forgetPassword(dataDirectory: string, credentials: Credentials): Promise<void> {
  const { apiKey, secretKey } = credentials;
  const text = `${JSON.stringify({ apiKey, secretKey }, undefined, 2)}\n`;
  await writePrivateFile(join(dataDirectory, fileName), text);
}

/** Writes a file for root alone, whole or not at all, and durably. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  const partial = `${path}.partial`;
  await using file = await open(partial, 'w', 0o600);
  await file.chmod(0o600);
  await file.writeFile(text);
  await file.sync();
  await rename(partial, path);
  await using directory = await open(path.slice(0, path.lastIndexOf('/')), 'r');
  await directory.sync();
}

/** Letters, digits, `-` and `_`: safe in URLs, files and shells alike. */
function token(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}
