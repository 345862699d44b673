import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A parser of bytes that a stranger made. */
export interface FuzzTarget {
  readonly name: string;
  /** Inputs that get far, to begin with. */
  seeds(): readonly Buffer[] | Promise<readonly Buffer[]>;
  /**
   * Throws for bugs only: a refusal is what the parser is for. May return in a few words what came of the input; inputs
   * with a new answer are mutated further.
   */
  run(bytes: Buffer): string | undefined | Promise<string | undefined>;
}

const targetsDirectory = fileURLToPath(new URL('targets', import.meta.url));
const corpusDirectory = fileURLToPath(new URL('corpus', import.meta.url));

export async function targetNames(): Promise<readonly string[]> {
  const files = await readdir(targetsDirectory);
  return files.filter((file) => file.endsWith('.ts')).map((file) => file.slice(0, -3));
}

export async function loadTarget(name: string): Promise<FuzzTarget> {
  const loaded = (await import(join(targetsDirectory, `${name}.ts`))) as { readonly target: FuzzTarget };
  return loaded.target;
}

export function corpusOf(name: string): string {
  return join(corpusDirectory, name);
}

/** What was kept of earlier runs, findings included: file name and content, in the order of the names. */
export async function readCorpus(name: string): Promise<readonly (readonly [file: string, bytes: Buffer])[]> {
  const files = await readdir(corpusOf(name)).catch(() => []);
  return Promise.all(
    files.sort().map(async (file) => [file, await readFile(join(corpusOf(name), file))] as const),
  );
}
