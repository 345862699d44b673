import { describeError, hasErrorCode, type Logger } from '@millrace/core';
import { pino } from 'pino';
import packageJson from '../package.json' with { type: 'json' };
import { type AgentCommand, agentHelp, parseCommand } from './commands/arguments.ts';
import { runCheck } from './commands/check.ts';
import { runJoin } from './commands/join.ts';
import { runUntilStopped } from './commands/run.ts';
import { type AgentConfig, ConfigError, defaultPoolPath, defaultStateDir, readConfig } from './config.ts';
import { loadSettings } from './state/settings-file.ts';

/** Exit codes: 0 done or stopped as asked, 1 unexpected, 2 something an operator has to change. */
const exitCodes = { done: 0, unexpected: 1, operator: 2 } as const;

/** Failures whose message says what to do. */
const operatorCodes = [
  'JOIN_REFUSED',
  'SERVER_NOT_TRUSTED',
  'SERVER_UNREACHABLE',
  'IDENTITY_DAMAGED',
] as const;

async function main(command: AgentCommand): Promise<number> {
  if (command.kind === 'help') process.stdout.write(agentHelp);
  else if (command.kind === 'version') process.stdout.write(`millrace agent ${packageJson.version}\n`);
  else if (command.kind === 'problem') return complain(`${command.problem}\n\n${agentHelp}`);
  else {
    let config: AgentConfig;
    try {
      config = readConfig(await settingsFor(command));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return complain(`${error.message}\n`);
    }
    return perform(command, config);
  }
  return exitCodes.done;
}

function complain(text: string): number {
  process.stderr.write(text);
  return exitCodes.operator;
}

/** The environment goes before what joining kept, and the arguments of a join before both. */
async function settingsFor(command: AgentCommand): Promise<Readonly<Record<string, string | undefined>>> {
  const { env } = process;
  const kept = await loadSettings(env['MILLRACE_AGENT_DIR'] || defaultStateDir);
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const settings = { ...kept, ...given };
  if (command.kind !== 'join') return settings;
  return {
    ...(command.role === 'image-store' ? {} : { MILLRACE_POOL_PATH: defaultPoolPath }),
    ...settings,
    MILLRACE_SERVER_URL: command.serverUrls.join(','),
    ...(command.poolPath === undefined ? {} : { MILLRACE_POOL_PATH: command.poolPath }),
    ...(command.sharedPaths === undefined ? {} : { MILLRACE_SHARED_PATHS: command.sharedPaths }),
    ...(command.storePaths === undefined ? {} : { MILLRACE_STORE_PATHS: command.storePaths }),
    ...(command.imageListen === undefined ? {} : { MILLRACE_IMAGE_LISTEN: command.imageListen }),
    ...(command.role === undefined ? {} : { MILLRACE_ROLE: command.role }),
  };
}

async function perform(command: AgentCommand, config: AgentConfig): Promise<number> {
  const log: Logger = pino({
    level: config.logLevel,
    base: { part: 'agent' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
  const signal = stopSignal(config, command.kind === 'run' ? log : undefined);
  const note = (text: string) => process.stdout.write(`${text}\n`);
  try {
    if (command.kind === 'check')
      return (await runCheck(config, command.json, signal)) ? exitCodes.done : exitCodes.operator;
    if (command.kind === 'join') await runJoin({ ...command, config, note, signal });
    else await runUntilStopped(config, log, signal);
    return exitCodes.done;
  } catch (error) {
    if (signal.aborted) return exitCodes.done;
    const expected = hasErrorCode(error, ...operatorCodes);
    if (command.kind !== 'run' && expected) return complain(`${describeError(error)}\n`);
    log.error(
      {
        reason: describeError(error),
        ...(expected || !(error instanceof Error) ? {} : { stack: error.stack }),
      },
      expected ? 'the agent cannot work until this is changed' : 'the agent failed',
    );
    return expected ? exitCodes.operator : exitCodes.unexpected;
  }
}

/** Aborts on SIGTERM, SIGINT and, when asked for, the end of standard input. */
function stopSignal(config: AgentConfig, log: Logger | undefined): AbortSignal {
  const controller = new AbortController();
  const stop = (why: string) => {
    if (controller.signal.aborted) return;
    log?.info({ why }, 'stopping; virtual machines go on running');
    controller.abort(new Error('the agent is stopping'));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  if (config.exitWithStdin) {
    process.stdin.once('end', () => stop('standard input ended'));
    process.stdin.once('error', () => stop('standard input failed'));
    process.stdin.resume();
  }
  return controller.signal;
}

process.exitCode = await main(parseCommand(process.argv.slice(2)));
// standard input, when it is watched, would keep the process
process.exit();
