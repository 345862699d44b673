import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '@millrace/core';

/**
 * How the long-running parts are started. Node keeps the compiled and type-stripped form of every module in the cache;
 * a process that finds it there never loads the type stripper. Small heaps suit programs that mostly wait, and whose
 * hot work is native code. Together they save about a third of the resident memory of server and agent.
 */
export const partFlags = ['--max-semi-space-size=2', '--optimize-for-size'] as const;

export function compileCacheEnvironment(dataDirectory: string): Record<string, string> {
  return { NODE_COMPILE_CACHE: join(dataDirectory, 'compile-cache') };
}

const programs = ['apps/server/src/main.ts', 'apps/agent/src/main.ts'] as const;

/** Fills the cache before the parts start for the first time, so that the first start is as lean as all others. */
export async function fillCompileCache(options: {
  readonly root: string;
  readonly dataDirectory: string;
  readonly signal: AbortSignal;
}): Promise<void> {
  const environment = compileCacheEnvironment(options.dataDirectory);
  const filled = await access(environment['NODE_COMPILE_CACHE']!).then(
    () => true,
    () => false,
  );
  if (filled) return;
  for (const path of programs) {
    // asked for their versions they load all of their code, do nothing with it, and end: then Node writes the cache
    await runProgram(process.execPath, [...partFlags, join(options.root, path), '--version'], {
      signal: AbortSignal.any([options.signal, AbortSignal.timeout(60_000)]),
      cwd: '/',
      env: environment,
    });
  }
}
