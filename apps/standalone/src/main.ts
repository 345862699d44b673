import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeError, MillraceError } from '@millrace/core';
import { offerProfile } from './cli-profile.ts';
import { forgetPassword } from './credentials.ts';
import { openDataDirectory } from './data-directory.ts';
import { type Demo, runDemo } from './demo/run-demo.ts';
import { findInvoker } from './invoker.ts';
import { type Launched, type LaunchOptions, launch, type RunningPart, stopAll } from './launch.ts';
import { parseStartOptions, type StartOptions } from './options.ts';
import { formatDuration, makeProgress, type Progress } from './progress.ts';

/** Exit codes: 0 stopped as asked, 1 failed, 2 wrong usage, 130 stopped by force. */
const exitCodes = { stopped: 0, failed: 1, usage: 2, forced: 130 } as const;

/** npm passes on the SIGINT that the terminal has sent to everybody already: that is not a second Ctrl-C. */
const secondSignalAfterMs = 1000;

const root = fileURLToPath(new URL('../../..', import.meta.url));
const now = () => performance.now();

async function main(): Promise<number> {
  const parsed = parseStartOptions(process.argv.slice(2), root);
  if ('help' in parsed) {
    process.stdout.write(parsed.help);
    return exitCodes.stopped;
  }
  if ('problem' in parsed) {
    process.stderr.write(`${parsed.problem}\n`);
    return exitCodes.usage;
  }
  if (process.getuid?.() !== 0) {
    process.stderr.write('Millrace starts VMs and networks, which needs root. Run: sudo npm start\n');
    return exitCodes.usage;
  }
  const progress = makeProgress({
    write: (text) => void process.stdout.write(text),
    isTerminal: process.stdout.isTTY === true,
    // some terminals say 0 for "unknown"
    columns: () => process.stdout.columns || 80,
    now,
  });
  return run(parsed.options, progress);
}

async function run(options: StartOptions, progress: Progress): Promise<number> {
  const begun = now();
  const running: RunningPart[] = [];
  const stopping = stopOnSignal(progress, running);
  try {
    await using cleanup = new AsyncDisposableStack();
    const data = await openDataDirectory(options.dataDirectory, { create: true, signal: stopping });
    cleanup.defer(() => data.release());
    cleanup.defer(() => stopAll(running, progress));
    const launchOptions: LaunchOptions = {
      options,
      root,
      data,
      progress,
      // what libvirt's tools cache must not end up, as root's, in somebody's home
      environment: { ...passedOn(process.env), HOME: data.path },
      now,
      signal: stopping,
    };
    const launched = await launch(launchOptions, running);
    await introduce(launchOptions, launched, now() - begun);
    const demo = options.demo ? await demonstrate(launchOptions, launched) : undefined;
    if (demo !== undefined) cleanup.defer(() => demo.close());
    progress.line('');
    progress.line('Millrace runs. Ctrl-C stops it; VMs keep running, and the next start finds them.');
    await Promise.race([aborted(stopping), ...running.map(({ supervisor }) => supervisor.failed)]);
    return exitCodes.stopped;
  } catch (error) {
    if (stopping.aborted) return exitCodes.stopped;
    process.stderr.write(`\n${explain(error)}\n`);
    return exitCodes.failed;
  }
}

/** Aborted by the first SIGINT or SIGTERM; a second one ends everything at once. */
function stopOnSignal(progress: Progress, running: readonly RunningPart[]): AbortSignal {
  const controller = new AbortController();
  let first: number | undefined;
  const onSignal = () => {
    if (first === undefined) {
      first = now();
      progress.line('');
      progress.line('Stopping. VMs keep running. (Ctrl-C again: at once.)');
      controller.abort(new Error('stopped on request'));
    } else if (now() - first > secondSignalAfterMs) {
      for (const { supervisor } of running) supervisor.kill();
      progress.line('Stopped by force.');
      process.exit(exitCodes.forced);
    }
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  process.on('SIGHUP', onSignal);
  return controller.signal;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Says where everything is, and the password, once. */
async function introduce(
  { data, progress, signal }: LaunchOptions,
  { apiUrl, credentials }: Launched,
  elapsedMs: number,
): Promise<void> {
  const settings = { url: apiUrl, apikey: credentials.apiKey, secretkey: credentials.secretKey };
  const invoker = await findInvoker(process.env);
  const profile = await offerProfile(invoker, settings, signal);
  progress.line('');
  progress.line(`Millrace is ready (${formatDuration(elapsedMs)}).`);
  progress.line(`  console    ${new URL('/', apiUrl).href}`);
  progress.line(`  API        ${apiUrl}`);
  if (credentials.password !== undefined) {
    progress.line(`  admin      password ${credentials.password}   (shown this once)`);
    await forgetPassword(data.path, credentials);
  }
  const own = join(data.path, 'cli/config.json');
  progress.line(
    profile.added
      ? `  CLI        bin/millrace list zones   (profile local in ${profile.path})`
      : `  CLI        MILLRACE_CONFIG=${own} bin/millrace list zones   (${profile.reason})`,
  );
  progress.line(`  logs       ${join(data.path, 'logs')}`);
}

/** The demo may fail without taking the instance along: then its reason is told, and everything stays up. */
async function demonstrate(
  { data, progress, signal, environment }: LaunchOptions,
  { api }: Launched,
): Promise<Demo | undefined> {
  try {
    const demo = await runDemo({
      api,
      dataDirectory: data.path,
      cacheDirectory: join(root, 'node_modules/.cache/millrace'),
      environment,
      progress,
      now,
      signal,
    });
    if (demo.ran !== undefined) suggest(progress, demo.ran);
    return demo;
  } catch (error) {
    signal.throwIfAborted();
    progress.line(`✘ Demo: ${explain(error)}`);
    progress.line(
      '  Everything else stays up. The next npm start tries the demo again; --no-demo leaves it out.',
    );
    return undefined;
  }
}

function suggest(progress: Progress, ran: NonNullable<Demo['ran']>): void {
  progress.line('');
  progress.line('What to try next, in another terminal:');
  progress.line('  bin/millrace list virtualmachines filter=name,state,hostname');
  progress.line('  # a second VM from the same template: the pool has it, so no byte moves');
  progress.line(
    `  bin/millrace deploy virtualmachine name=demo-2 zoneid=${ran.zoneId} templateid=${ran.templateId} serviceofferingid=${ran.offeringId}`,
  );
  progress.line('  bin/millrace list templates templatefilter=all filter=name,directdownload,status');
  progress.line('  bin/millrace   # a shell with completion');
}

function explain(error: unknown): string {
  if (error instanceof MillraceError) return describeError(error);
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** What parts and apt may need of the environment: no more, so that nothing unexpected steers them. */
function passedOn(environment: NodeJS.ProcessEnv): Record<string, string> {
  const names = ['MILLRACE_LOG_LEVEL', 'MILLRACE_INTEGRATION_PORT', 'http_proxy', 'https_proxy', 'no_proxy'];
  return Object.fromEntries(
    [...names, ...names.map((name) => name.toUpperCase())].flatMap((name) => {
      const value = environment[name];
      return value === undefined || value === '' ? [] : [[name, value]];
    }),
  );
}

process.exitCode = await main();
// sockets of the API client may keep the process for a while
process.exit();
