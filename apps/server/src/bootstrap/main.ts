import { text } from 'node:stream/consumers';
import { describeError } from '@millrace/core';
import { z } from 'zod';
import { openDatabase } from '../store/database.ts';
import { migrate } from '../store/migrate.ts';
import { bootstrap, firstStartInput } from './first-start.ts';

/**
 * Reads what an operator decides (JSON, see `firstStartInput`) from stdin, brings the database at `DATABASE_URL` to the
 * present schema, makes the first zone, and prints what is there as JSON. The password comes by stdin because argument
 * lists can be read by everybody on the machine.
 */
try {
  const databaseUrl = process.env['DATABASE_URL'];
  if (!databaseUrl) throw new Error('DATABASE_URL is not set');
  const input = firstStartInput.parse(readJson(await text(process.stdin)));
  const database = openDatabase(databaseUrl, { poolSize: 2 });
  try {
    const migrations = await migrate(database);
    const result = await bootstrap(database, input);
    process.stdout.write(`${JSON.stringify({ ...result, migrations })}\n`);
  } finally {
    await database.destroy();
  }
} catch (error) {
  const reason = error instanceof z.ZodError ? z.prettifyError(error) : describeError(error);
  process.stderr.write(`the first start failed: ${reason}\n`);
  process.exitCode = 1;
}

/** The parser's own message would quote the input, and with it the password. */
function readJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new Error('stdin holds no JSON');
  }
}
