import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { hasErrorCode } from '@millrace/core';

export type Settings = Readonly<Record<string, string | undefined>>;

/** What joining found out, kept for every later start. The environment goes before it. */
export function settingsPath(stateDir: string): string {
  return join(stateDir, 'agent.env');
}

/** The kept settings; none when there is no file. */
export async function loadSettings(stateDir: string): Promise<Settings> {
  try {
    return parseEnv(await readFile(settingsPath(stateDir), 'utf8'));
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return {};
    throw error;
  }
}

/** Keeps settings as one file, so that a crash leaves the old ones or the new ones whole. */
export async function storeSettings(
  stateDir: string,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  const path = settingsPath(stateDir);
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${JSON.stringify(value)}\n`);
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(
      `# written by millrace agent join; the environment goes before it\n${lines.join('')}`,
    );
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}
