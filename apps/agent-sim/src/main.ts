import { readFile } from 'node:fs/promises';
import { describeError, type Logger } from '@millrace/core';
import { pino } from 'pino';
import { z } from 'zod';
import { followFaults } from './faults/follow-faults.ts';
import { startHosts } from './start-hosts.ts';

/**
 * Simulated hosts, hundreds in one process, against a real management server. `npm run dev` starts it; by hand:
 *
 * - `MILLRACE_SERVER_URL`: `https://HOST:8250`
 * - `MILLRACE_SIM_HOSTS`: a JSON file, `[{"name": "sim-1", "token": "mlr1.…"}, …]`
 * - `MILLRACE_SIM_SPEED`: how many times faster than a real host, 1
 * - `MILLRACE_SIM_FAULTS`: a JSON file, read again when it changes (see faults/host-faults.ts)
 */
const settings = z.object({
  MILLRACE_SERVER_URL: z.url({ protocol: /^https$/ }),
  MILLRACE_SIM_HOSTS: z.string().min(1),
  MILLRACE_SIM_SPEED: z.coerce.number().positive().default(1),
  MILLRACE_SIM_FAULTS: z.string().min(1).optional(),
  MILLRACE_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('warn'),
  MILLRACE_EXIT_WITH_STDIN: z.string().optional(),
});
const hostList = z.array(z.object({ name: z.string().min(1), token: z.string().min(1) }));

const config = settings.parse(process.env);
const log: Logger = pino({ level: config.MILLRACE_LOG_LEVEL, base: { part: 'agent-sim' } });
const stopping = new AbortController();
const stop = () => stopping.abort(new Error('the simulated hosts are stopping'));
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
if (config.MILLRACE_EXIT_WITH_STDIN !== undefined) {
  process.stdin.once('end', stop);
  process.stdin.once('error', stop);
  process.stdin.resume();
}

try {
  const { signal } = stopping;
  const hosts = hostList.parse(JSON.parse(await readFile(config.MILLRACE_SIM_HOSTS, 'utf8')));
  const serverUrl = config.MILLRACE_SERVER_URL;
  const simulated = await startHosts({ serverUrl, hosts, speed: config.MILLRACE_SIM_SPEED, log, signal });
  const path = config.MILLRACE_SIM_FAULTS;
  const following = path && followFaults({ path, onChange: simulated.setFaults, log, signal });
  await Promise.all([simulated.ended, following]);
} catch (error) {
  if (!stopping.signal.aborted) {
    log.error({ reason: describeError(error) }, 'the simulated hosts failed');
    process.exitCode = 1;
  }
}
// standard input, when it is watched, would keep the process
process.exit();
