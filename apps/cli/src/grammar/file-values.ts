import { describeError } from '@millrace/core';
import { UsageError } from '../failures.ts';

export type ReadFile = (path: string, signal: AbortSignal) => Promise<string>;

/**
 * Replaces values of the form `@path` by the contents of the file, `@@text` by `@text`. User data from a file is put into
 * Base64, which the API wants, unless the file is Base64 already.
 * @throws UsageError when a file cannot be read
 */
export async function readFileValues(
  params: Readonly<Record<string, string>>,
  readFile: ReadFile,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const read: Record<string, string> = {};
  for (const [key, value] of Object.entries(params)) {
    if (!value.startsWith('@')) read[key] = value;
    else if (value.startsWith('@@')) read[key] = value.slice(1);
    else {
      const content = await contentOf(key, value.slice(1), readFile, signal);
      read[key] = key === 'userdata' ? inBase64(content) : content;
    }
  }
  return read;
}

async function contentOf(
  key: string,
  path: string,
  readFile: ReadFile,
  signal: AbortSignal,
): Promise<string> {
  try {
    return await readFile(path, signal);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new UsageError(
      `${key}: the file ${path} cannot be read: ${describeError(error)}\n` +
        `A value that begins with @ itself is written with two: ${key}=@@…`,
    );
  }
}

function inBase64(content: string): string {
  const bare = content.replaceAll(/\s/g, '');
  const isBase64 = bare.length > 0 && bare.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(bare);
  return isBase64 ? bare : Buffer.from(content, 'utf8').toString('base64');
}
