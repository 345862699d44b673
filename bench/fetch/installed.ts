import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram } from '@millrace/core';

/** What of the peers this machine has. */

export async function hasProgram(name: string): Promise<boolean> {
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  const found = await Promise.all(directories.map((directory) => exists(join(directory, name))));
  return found.includes(true);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

const jars = ['commons-httpclient', 'commons-io', 'commons-logging', 'commons-codec'];

/** @returns the class path of `CloudStackFlow`, `undefined` without Java or its libraries */
export async function compileCloudStackFlow(work: string, signal: AbortSignal): Promise<string | undefined> {
  const libraries = jars.map((name) => `/usr/share/java/${name}.jar`);
  const found = await Promise.all([hasProgram('javac'), hasProgram('java'), ...libraries.map(exists)]);
  if (found.includes(false)) return undefined;
  const classes = join(work, 'classes');
  const source = fileURLToPath(new URL('peers/CloudStackFlow.java', import.meta.url));
  await runProgram('javac', ['-encoding', 'UTF-8', '-cp', libraries.join(':'), '-d', classes, source], {
    signal,
  });
  return [classes, ...libraries].join(':');
}
