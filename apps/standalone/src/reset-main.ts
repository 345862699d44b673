import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { describeError, hasErrorCode, MillraceError } from '@millrace/core';
import { type Invoker, withdrawProfile } from './cli-profile.ts';
import { loadCredentials } from './credentials.ts';
import { type DataDirectory, openDataDirectory } from './data-directory.ts';
import { removeAddedName } from './host-readiness.ts';
import { readInstanceFile } from './instance-file.ts';
import { findInvoker } from './invoker.ts';
import { findLeftovers, type Leftovers, removeLeftovers } from './leftovers.ts';
import { ensureLibvirt } from './libvirt.ts';
import { parseResetOptions, type ResetOptions } from './options.ts';
import { makeProgress, type Progress } from './progress.ts';

/** Exit codes: 0 done, or there was nothing to do; 1 failed or not confirmed; 2 wrong usage. */
const exitCodes = { done: 0, failed: 1, usage: 2 } as const;

const root = fileURLToPath(new URL('../../..', import.meta.url));

async function main(): Promise<number> {
  const parsed = parseResetOptions(process.argv.slice(2), root);
  if ('help' in parsed) {
    process.stdout.write(parsed.help);
    return exitCodes.done;
  }
  if ('problem' in parsed) {
    process.stderr.write(`${parsed.problem}\n`);
    return exitCodes.usage;
  }
  const { options } = parsed;
  const progress = makeProgress({
    write: (text) => void process.stdout.write(text),
    isTerminal: process.stdout.isTTY === true,
    columns: () => process.stdout.columns || 80,
    now: () => performance.now(),
  });
  const { signal } = new AbortController();
  try {
    const data = await openDataDirectory(options.dataDirectory, { create: false, signal });
    try {
      return await reset(options, data, progress, signal);
    } finally {
      await data.release();
    }
  } catch (error) {
    if (hasErrorCode(error, 'DATA_DIRECTORY_ABSENT')) {
      progress.line(`Nothing to remove: there is no ${options.dataDirectory}.`);
      return exitCodes.done;
    }
    const text =
      error instanceof MillraceError || !(error instanceof Error) ? describeError(error) : error.stack;
    process.stderr.write(`${text}\n`);
    return exitCodes.failed;
  }
}

async function reset(
  options: ResetOptions,
  data: DataDirectory,
  progress: Progress,
  signal: AbortSignal,
): Promise<number> {
  // an instance that never came as far as its network has no VM either
  const instance = await readInstanceFile(data.path).catch(() => undefined);
  if (instance !== undefined) await ensureLibvirt(signal);
  const leftovers =
    instance === undefined
      ? { domains: [], network: undefined }
      : await findLeftovers(data.instanceId, instance.network, signal);
  progress.line(`This removes the instance ${data.instanceId}:`);
  for (const line of describe(data, leftovers)) progress.line(`  - ${line}`);
  if (!options.confirmed && !(await confirm())) {
    progress.line('Nothing was removed.');
    return exitCodes.failed;
  }
  await progress.step('VMs, network and mounts', async () => {
    await removeLeftovers(data.instanceId, leftovers, signal);
    return { value: undefined };
  });
  await progress.step('CLI profile', async () => {
    const removed = await removeOwnProfile(data.path, await findInvoker(process.env), signal);
    return { value: undefined, detail: removed ? 'removed' : 'was not there' };
  });
  if (await removeAddedName()) progress.line('✔ The line that npm start added to /etc/hosts');
  await progress.step('Data directory', async () => {
    await rm(data.path, { recursive: true, force: true });
    return { value: undefined, detail: data.path };
  });
  progress.line('System packages stay installed, and so do downloads for the demo in node_modules/.cache.');
  return exitCodes.done;
}

function describe(data: DataDirectory, leftovers: Leftovers): string[] {
  const { domains, network } = leftovers;
  return [
    domains.length === 0 ? 'no VM' : `${domains.length} VM(s) with their disks: ${domains.join(', ')}`,
    ...(network === undefined ? [] : [`the libvirt network ${network}`]),
    `everything in ${data.path}: database, templates, disks, keys, logs`,
    'its profile in the configuration of bin/millrace',
  ];
}

async function confirm(): Promise<boolean> {
  if (process.stdin.isTTY !== true) {
    process.stderr.write('Nobody can be asked here: add --yes to go on.\n');
    return false;
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question('Remove all of it? [y/N] ')).trim());
  } finally {
    terminal.close();
  }
}

async function removeOwnProfile(
  dataDirectory: string,
  invoker: Invoker,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const { apiKey } = await loadCredentials(dataDirectory);
    return await withdrawProfile(invoker, apiKey, signal);
  } catch (error) {
    // a damaged file of keys must not keep the rest from being removed
    if (hasErrorCode(error, 'CREDENTIALS_DAMAGED', 'PROGRAM_FAILED')) return false;
    throw error;
  }
}

process.exitCode = await main();
