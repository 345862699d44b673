import { parseArgs } from 'node:util';
import { describeError } from '@millrace/core';
import { keyFileOf, readConfig } from '../config.ts';
import { prepareDatabase } from '../store/prepare-database.ts';
import { openSharedAuthority } from './certificate-authority.ts';
import { createJoinToken } from './join-token.ts';

/**
 * Prints `{"tokens": ["mlr1.…"]}`, each for one new host. Needs DATABASE_URL and MILLRACE_DATA_DIR; `--cluster NAME`,
 * `--count N` (1).
 */
try {
  const { values } = parseArgs({
    options: { cluster: { type: 'string' }, count: { type: 'string', default: '1' } },
  });
  const config = readConfig(process.env);
  const { database } = await prepareDatabase({
    databaseUrl: config.databaseUrl,
    keyFile: keyFileOf(config),
    poolSize: 1,
  });
  try {
    const authority = await openSharedAuthority(database, config.dataDir);
    const options = { cluster: values.cluster, fingerprint: authority.fingerprint, now: new Date() };
    const tokens: string[] = [];
    while (tokens.length < Number(values.count)) tokens.push(await createJoinToken(database, options));
    process.stdout.write(`${JSON.stringify({ tokens })}\n`);
  } finally {
    await database.destroy();
  }
} catch (error) {
  process.stderr.write(`no join token was made: ${describeError(error)}\n`);
  process.exitCode = 1;
}
