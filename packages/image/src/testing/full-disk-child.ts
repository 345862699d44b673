import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram, silentLogger } from '@millrace/core';
import { directorySink, FetchFailure, fetchImage } from '../index.ts';
import { requestFor } from './request.ts';

/**
 * Runs in a mount namespace of its own: mounts a file system of 2 MiB and fetches the URLs given into it. Prints a JSON
 * line for each: the failure, and what is left in the directory.
 */
const [directory = '', ...urls] = process.argv.slice(2);
const { signal } = new AbortController();
const pool = join(directory, 'pool');
await mkdir(pool);
await runProgram('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', pool], { signal });
for (const url of urls) {
  try {
    await fetchImage(requestFor(url), directorySink({ directory: pool, fileName: 'committed' }), {
      signal,
      log: silentLogger,
    });
    console.log(JSON.stringify({ code: 'none', left: await readdir(pool) }));
  } catch (error) {
    if (!(error instanceof FetchFailure)) throw error;
    const { code, failureClass, message } = error;
    console.log(JSON.stringify({ code, failureClass, message, left: await readdir(pool) }));
  }
}
