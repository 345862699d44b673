import { readTextIfAny, writePrivateFile } from '../catalogue/private-file.ts';

const longest = 1000;
const secret = /password|secretkey|secret\b/i;

/** The shell's history, newest first, as readline keeps it. */
export async function loadHistory(path: string, signal: AbortSignal): Promise<string[]> {
  const text = (await readTextIfAny(path, signal)) ?? '';
  return text
    .split('\n')
    .filter((line) => line !== '')
    .reverse()
    .slice(0, longest);
}

/** Keeps the history, oldest first, without lines that hold a secret. */
export async function saveHistory(
  path: string,
  lines: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const kept = lines
    .filter((line) => !secret.test(line))
    .slice(0, longest)
    .reverse();
  await writePrivateFile(path, kept.map((line) => `${line}\n`).join(''), signal);
}
