import { parseArgs } from 'node:util';
import { describeError } from '@millrace/core';
import { keyFileOf, readConfig } from '../config.ts';
import { prepareDatabase } from '../store/prepare-database.ts';
import { openSharedAuthority } from './certificate-authority.ts';
import { createJoinToken } from './join-token.ts';

/** Prints `{"token": "mlr1.…"}` for one new host. Needs DATABASE_URL and MILLRACE_DATA_DIR; `--cluster NAME`. */
try {
  const { values } = parseArgs({ options: { cluster: { type: 'string' } } });
  const config = readConfig(process.env);
  const { database } = await prepareDatabase({
    databaseUrl: config.databaseUrl,
    keyFile: keyFileOf(config),
    poolSize: 1,
  });
  try {
    const authority = await openSharedAuthority(database, config.dataDir);
    const token = await createJoinToken(database, {
      cluster: values.cluster,
      fingerprint: authority.fingerprint,
      now: new Date(),
    });
    process.stdout.write(`${JSON.stringify({ token })}\n`);
  } finally {
    await database.destroy();
  }
} catch (error) {
  process.stderr.write(`no join token was made: ${describeError(error)}\n`);
  process.exitCode = 1;
}
