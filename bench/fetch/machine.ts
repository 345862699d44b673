import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { runProgram } from '@millrace/core';
import { formatMebibytes } from './report/statistics.ts';

/** What the figures depend on, to stand beside them. */
export async function describeMachine(
  work: string,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const { stdout } = await runProgram('findmnt', ['-n', '-o', 'FSTYPE,OPTIONS', '--target', work], {
    signal,
  });
  const debian = await readFile('/etc/debian_version', 'utf8').catch(() => 'none');
  return {
    processor: `${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}`,
    memory: formatMebibytes(totalmem()),
    kernel: release(),
    debian: debian.trim(),
    'file system': stdout.trim().replace(/\s+/, ' '),
    node: process.version,
    when: new Date().toISOString(),
  };
}
