import { once } from 'node:events';
import { describeError } from '@millrace/core';
import { pino } from 'pino';
import packageJson from '../package.json' with { type: 'json' };
import { startServer } from './compose.ts';
import { readConfig } from './config.ts';

/**
 * The management server as a program: configured by MILLRACE_* and DATABASE_URL, logs JSON lines to standard output, and
 * stops in order on SIGTERM and SIGINT (a second one ends it at once). With MILLRACE_EXIT_WITH_STDIN=1 it also stops
 * when its standard input ends: whoever started it has died.
 */
if (process.argv.includes('--version')) {
  process.stdout.write(`millrace server ${packageJson.version}\n`);
  process.exit(0);
}
const stop = new AbortController();
try {
  const config = readConfig(process.env);
  const log = pino({ level: config.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  const askToStop = (reason: string) => {
    if (stop.signal.aborted) process.exit(1);
    stop.abort(new Error(reason));
  };
  process.on('SIGTERM', () => askToStop('SIGTERM'));
  process.on('SIGINT', () => askToStop('SIGINT'));
  if (process.env['MILLRACE_EXIT_WITH_STDIN'] === '1') {
    process.stdin.on('end', () => askToStop('standard input ended'));
    process.stdin.on('error', () => askToStop('standard input broke'));
    process.stdin.resume();
  }
  process.on('unhandledRejection', (reason) => {
    log.error(
      { error: describeError(reason), stack: reason instanceof Error ? reason.stack : undefined },
      'a bug: a promise was not handled',
    );
  });
  const server = await startServer({ config, log, signal: stop.signal });
  log.info({ ready: true, port: server.port, agentPort: server.agentPort }, 'the server is ready');
  if (!stop.signal.aborted) await once(stop.signal, 'abort');
  log.info({ reason: describeError(stop.signal.reason) }, 'the server stops');
  await server.close();
  process.exit(0);
} catch (error) {
  if (stop.signal.aborted) process.exit(0);
  process.stderr.write(`the server cannot start: ${describeError(error)}\n`);
  process.exit(1);
}
