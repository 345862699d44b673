import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeError, MillraceError } from '@millrace/core';
import { type RunningPart, stopAll } from '../launch.ts';
import { makeProgress, type Progress } from '../progress.ts';
import { type DevCloud, type DevLaunchOptions, launchDev } from './launch-dev.ts';
import { type DevOptions, parseDevOptions } from './options.ts';

/** npm run dev: exit codes 0 stopped as asked, 1 failed, 2 wrong usage. */
const root = fileURLToPath(new URL('../../../..', import.meta.url));
const now = () => performance.now();

async function main(): Promise<number> {
  const parsed = parseDevOptions(process.argv.slice(2), process.env['INIT_CWD'] ?? process.cwd());
  if ('help' in parsed) {
    process.stdout.write(parsed.help);
    return 0;
  }
  if ('problem' in parsed) {
    process.stderr.write(`${parsed.problem}\n`);
    return 2;
  }
  if (process.getuid?.() !== 0) {
    process.stderr.write('The private PostgreSQL runs as a user of its own, which needs root.\n');
    return 2;
  }
  const progress = makeProgress({
    write: (text) => void process.stdout.write(text),
    isTerminal: process.stdout.isTTY === true,
    columns: () => process.stdout.columns || 80,
    now,
  });
  return run(parsed.options, progress);
}

async function run(options: DevOptions, progress: Progress): Promise<number> {
  const stopping = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => stopping.abort(new Error('stopped on request')));
  const { signal } = stopping;
  const running: RunningPart[] = [];
  try {
    await using cleanup = new AsyncDisposableStack();
    const directory = await mkdtemp(join(tmpdir(), 'millrace-dev-'));
    cleanup.defer(() => rm(directory, { recursive: true, force: true }));
    cleanup.defer(() => stopAll(running, progress));
    // PostgreSQL's user passes through, and sees nothing
    await chmod(directory, 0o711);
    const environment = { HOME: directory, ...logLevel(process.env) };
    const launch: DevLaunchOptions = { options, root, directory, progress, environment, now, signal };
    introduce(await launchDev(launch, running), directory, progress);
    const ended = Promise.withResolvers<void>();
    signal.addEventListener('abort', () => ended.resolve(), { once: true });
    if (signal.aborted) ended.resolve();
    await Promise.race([ended.promise, ...running.map(({ supervisor }) => supervisor.failed)]);
    return 0;
  } catch (error) {
    if (signal.aborted) return 0;
    const stack = error instanceof Error ? error.stack : undefined;
    process.stderr.write(
      `\n${error instanceof MillraceError ? describeError(error) : (stack ?? String(error))}\n`,
    );
    return 1;
  }
}

function introduce(cloud: DevCloud, directory: string, progress: Progress): void {
  progress.line('');
  progress.line('Millrace is ready, with simulated hosts.');
  progress.line(`  console    ${new URL('/', cloud.apiUrl).href}`);
  progress.line(`  API        ${cloud.apiUrl}`);
  progress.line(`  admin      password ${cloud.credentials.password}`);
  progress.line(`  CLI        MILLRACE_CONFIG=${cloud.profile} bin/millrace list hosts`);
  progress.line(`  faults     ${cloud.faults}   (read again when it changes)`);
  progress.line(`  logs       ${join(directory, 'data/logs')}`);
  progress.line('Ctrl-C ends it, and everything in it.');
}

function logLevel(environment: NodeJS.ProcessEnv): Record<string, string> {
  const level = environment['MILLRACE_LOG_LEVEL'];
  return level ? { MILLRACE_LOG_LEVEL: level } : {};
}

process.exitCode = await main();
// sockets of the API client may keep the process for a while
process.exit();
