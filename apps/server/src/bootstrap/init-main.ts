import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { describeError } from '@millrace/core';
import { openDatabase } from '../store/database.ts';
import { migrate } from '../store/migrate.ts';
import { bootstrap } from './first-start.ts';
import { type InitOptions, initUsage, readInitOptions } from './init-options.ts';

/**
 * `millrace server init`: what `npm start` does for one machine, for operators who run servers by themselves. What it
 * makes up (password, API keys) is printed once, and is nowhere else.
 */
try {
  const options = readInitOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(initUsage);
  else await init(options);
} catch (error) {
  process.stderr.write(`${describeError(error)}\nHelp: millrace server init --help\n`);
  process.exitCode = 2;
}

async function init(options: InitOptions): Promise<void> {
  const databaseUrl = process.env['DATABASE_URL'];
  if (!databaseUrl) throw new Error('DATABASE_URL is not set: postgresql://USER:PASSWORD@HOST/DATABASE');
  const given = await readPassword(options.passwordFile);
  const password = given ?? token(15);
  const apiKey = token(48);
  const secretKey = token(48);
  const database = openDatabase(databaseUrl, { poolSize: 2 });
  try {
    const { length } = await migrate(database);
    const { created } = await bootstrap(database, {
      zoneName: options.zone,
      network: options.network,
      allowedCidrs: [...options.allowedCidrs],
      admin: { password, apiKey, secretKey },
    });
    process.stdout.write(`${length} change(s) of the tables.\n`);
    if (!created) process.stdout.write('There is a cloud already: nothing else was changed.\n');
    else
      process.stdout.write(
        `A new cloud with zone ${options.zone}, guests in ${options.network.cidr}.\n\n` +
          `  user      admin\n${given === undefined ? `  password  ${password}\n` : ''}` +
          `  apikey    ${apiKey}\n  secretkey ${secretKey}\n\nThey are shown only now. Next: millrace server\n`,
      );
  } finally {
    await database.destroy();
  }
}

/** @throws Error when there is none, or a short one */
async function readPassword(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const content = file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
  const password = content.replace(/\r?\n$/, '');
  if (password.length < 8) throw new Error('--password: the password must have 8 characters or more');
  return password;
}

function token(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}
