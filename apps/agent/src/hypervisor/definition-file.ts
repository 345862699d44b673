import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Lends a definition to virsh as a file that only this user can read, and removes it afterwards. (virsh opens the file
 * by its name, and its standard input here is a socket, which cannot be opened by name.)
 */
export async function withDefinitionFile<T>(text: string, use: (path: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-define-'));
  try {
    const path = join(directory, 'definition.xml');
    await writeFile(path, text, { mode: 0o600 });
    return await use(path);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
