import { createHash } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { runProgram } from '@millrace/core';

export interface WebConsoleOptions {
  /** Of the project. */
  readonly root: string;
  readonly signal: AbortSignal;
}

const buildTimeoutMs = 120_000;
/** Names what the files were built from. */
const stampName = '.built-from';
const sources = ['index.html', 'package.json', 'vite.config.ts', 'src', 'public'] as const;
/** What else ends up in the pages, from elsewhere in the project. */
const shared = ['package-lock.json', 'packages/api-client/src'] as const;

/**
 * Builds the web console unless it is built from these very sources. The files belong to whoever the project belongs to.
 * @returns whether it was built now
 */
export async function buildWebConsole({ root, signal }: WebConsoleOptions): Promise<boolean> {
  const directory = join(root, 'apps/web');
  const stampPath = join(directory, 'dist', stampName);
  const wanted = await fingerprint(root, [...sources.map((name) => join('apps/web', name)), ...shared]);
  if ((await readStamp(stampPath)) === wanted) return false;
  const { uid, gid } = await stat(directory);
  const own = process.getuid?.() === 0 ? { uid, gid } : {};
  await runProgram(process.execPath, [join(root, 'node_modules/vite/bin/vite.js'), 'build'], {
    ...own,
    cwd: directory,
    env: { HOME: directory, NODE_ENV: 'production', NO_COLOR: '1' },
    signal: AbortSignal.any([signal, AbortSignal.timeout(buildTimeoutMs)]),
  });
  await writeFile(stampPath, wanted);
  return true;
}

async function fingerprint(root: string, paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) {
    for (const file of await filesBelow(join(root, path))) {
      hash.update(`${relative(root, file)}\n`);
      hash.update(await readFile(file));
    }
  }
  return hash.digest('hex');
}

async function filesBelow(path: string): Promise<string[]> {
  if (!(await stat(path)).isDirectory()) return [path];
  const entries = await readdir(path);
  const files = await Promise.all(entries.sort().map((name) => filesBelow(join(path, name))));
  return files.flat();
}

async function readStamp(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
