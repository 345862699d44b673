import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { sql } from 'kysely';
import { withTestDatabase } from '../../../../test/postgres.ts';
import { type Database, openDatabase } from './database.ts';
import { prepareDatabase } from './prepare-database.ts';
import type { Tables } from './schema.ts';
import { sealedColumns, sealingPlugin } from './sealed-columns.ts';
import { sealedPrefix, secretKeys } from './secret-keys.ts';
import { insertCloud, insertTemplate } from './testing/cloud-rows.ts';

interface Fixture {
  readonly url: string;
  readonly plain: Database;
  readonly path: string;
  start(path?: string): Promise<{ database: Database; sealed: number }>;
}

/** A database as it was before secrets were sealed. */
async function fixture(t: TestContext): Promise<Fixture> {
  const { url } = await withTestDatabase(t);
  const directory = await mkdtemp(join(tmpdir(), 'millrace-sealing-'));
  t.after(() => rm(directory, { recursive: true }));
  const plain = openDatabase(url, { poolSize: 2 });
  t.after(() => plain.destroy());
  return {
    url,
    plain,
    path: join(directory, 'secret.key'),
    async start(path = join(directory, 'secret.key')) {
      const prepared = await prepareDatabase({ databaseUrl: url, keyFile: path, poolSize: 1 });
      t.after(() => prepared.database.destroy());
      return prepared;
    },
  };
}

/** All that the database holds, as a dump of it would tell. */
async function contents(database: Database): Promise<string> {
  const { rows } = await sql<{ name: string }>`
    select tablename as name from pg_tables where schemaname = 'public'`.execute(database);
  const tables = await Promise.all(
    rows.map(({ name }) =>
      sql<{
        text: string;
      }>`select coalesce(string_agg(t::text, E'\n'), '') as text from ${sql.id(name)} t`.execute(database),
    ),
  );
  return tables.map(({ rows: [row] }) => row!.text).join('\n');
}

async function insertSecrets(database: Database): Promise<number> {
  const cloud = await insertCloud(database);
  await database.updateTable('user').set({ secret_key: 'hush-key' }).execute();
  const templateId = await insertTemplate(database, cloud);
  await database
    .updateTable('vm_template')
    .set({ url: 'https://ada:hush-url@images.example/a.qcow2' })
    .where('id', '=', templateId)
    .execute();
  await database
    .insertInto('vm_template_details')
    .values([
      { template_id: templateId, name: 'HTTP_HEADER:Authorization', value: 'Bearer hush-header' },
      { template_id: templateId, name: 's3.secretkey', value: 'hush-s3' },
    ])
    .execute();
  await database
    .insertInto('async_job')
    .values({
      uuid: '6b1d3a52-58a4-4f04-9d5f-0c8c6f0c7a11',
      user_id: cloud.userId,
      account_id: cloud.accountId,
      job_cmd: 'deployVirtualMachine',
      job_cmd_info: '{}',
      job_result: JSON.stringify({ virtualmachine: { password: 'hush-password' } }),
    })
    .execute();
  return templateId;
}

async function assertReadable(database: Database, templateId: number): Promise<void> {
  const user = await database.selectFrom('user').select('secret_key').executeTakeFirstOrThrow();
  assert.equal(user.secret_key, 'hush-key');
  const template = await database
    .selectFrom('vm_template')
    .select('url as source')
    .where('id', '=', templateId)
    .executeTakeFirstOrThrow();
  assert.equal(template.source, 'https://ada:hush-url@images.example/a.qcow2');
  const details = await database.selectFrom('vm_template_details').select('value').orderBy('id').execute();
  assert.deepEqual(
    details.map(({ value }) => value),
    ['Bearer hush-header', 'hush-s3'],
  );
  const job = await database.selectFrom('async_job').select('job_result').executeTakeFirstOrThrow();
  assert.deepEqual(job.job_result, { virtualmachine: { password: 'hush-password' } });
}

test('the first start makes a key and seals what was in clear; the next has nothing to do', async (t) => {
  const { plain, start } = await fixture(t);
  const templateId = await insertSecrets(plain);
  assert.match(await contents(plain), /hush-key/);
  const first = await start();
  assert.ok(first.sealed >= 5, `${first.sealed}`);
  assert.doesNotMatch(await contents(plain), /hush/);
  await assertReadable(first.database, templateId);
  const second = await start();
  assert.equal(second.sealed, 0);
  await assertReadable(second.database, templateId);
});

test('what is written by insert, update and upsert is sealed', async (t) => {
  const { plain, start } = await fixture(t);
  const { database } = await start();
  const templateId = await insertSecrets(database);
  await database
    .insertInto('certificate_authority')
    .values({ id: 1, certificate: 'public', private_key: 'hush-ca' })
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ private_key: 'hush-ca again' }))
    .execute();
  await database
    .insertInto('certificate_authority')
    .values({ id: 1, certificate: 'public', private_key: 'hush-ca' })
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ private_key: 'hush-ca again' }))
    .execute();
  const returned = await database
    .updateTable('certificate_authority')
    .set({ certificate: 'public too' })
    .returningAll()
    .executeTakeFirstOrThrow();
  assert.equal(returned.private_key, 'hush-ca again');
  assert.match(await contents(plain), /public too/);
  assert.doesNotMatch(await contents(plain), /hush/);
  await assertReadable(database, templateId);
  await database.updateTable('user').set({ secret_key: null }).execute();
  assert.equal(
    (await plain.selectFrom('user').select('secret_key').executeTakeFirstOrThrow()).secret_key,
    null,
  );
});

test('a query that would write what it cannot seal is refused', async (t) => {
  const { start } = await fixture(t);
  const { database } = await start();
  await assert.rejects(
    database.updateTable('user').set({ secret_key: sql`'clear'` }).execute(),
    /user\.secret_key takes values only/,
  );
  await assert.rejects(
    database
      .insertInto('user_data')
      .columns(['uuid', 'account_id', 'name', 'user_data'])
      .expression((query) =>
        query.selectFrom('user_data').select(['uuid', 'account_id', 'name', 'user_data']),
      )
      .execute(),
    /user_data\.user_data cannot be filled by a query/,
  );
});

test('a server without the key does not start, and changes nothing', async (t) => {
  const { plain, path, start } = await fixture(t);
  await insertSecrets(plain);
  await start();
  const before = await contents(plain);
  const elsewhere = `${path}.other`;
  await assert.rejects(start(elsewhere), {
    code: 'SECRET_KEY_MISSING',
    message: /there is no .*other.*Copy/,
  });
  await writeFile(elsewhere, randomBytes(32).toString('base64'), { mode: 0o600 });
  await assert.rejects(start(elsewhere), { code: 'SECRET_KEY_MISSING', message: /other does not hold/ });
  assert.equal(await contents(plain), before);
});

test('servers that start at the same time agree on one key', async (t) => {
  const { plain, path, start } = await fixture(t);
  await insertSecrets(plain);
  const results = await Promise.allSettled([start(path), start(`${path}.b`), start(`${path}.c`)]);
  const codes = results.map((result) =>
    result.status === 'fulfilled' ? 'started' : String(result.reason.code),
  );
  assert.deepEqual(codes.sort(), ['SECRET_KEY_MISSING', 'SECRET_KEY_MISSING', 'started']);
});

test('a new first key takes over all secrets, and the old one is needed no more', async (t) => {
  const { plain, path, start } = await fixture(t);
  const templateId = await insertSecrets(plain);
  const [old, next] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
  await writeFile(path, `${old}\n`, { mode: 0o600 });
  const { sealed } = await start();
  await writeFile(path, `${next}\n${old}\n`, { mode: 0o600 });
  assert.equal((await start()).sealed, sealed + 1);
  await writeFile(path, `${next}\n`, { mode: 0o600 });
  await assertReadable((await start()).database, templateId);
  await writeFile(path, `${old}\n`, { mode: 0o600 });
  await assert.rejects(start(), { code: 'SECRET_KEY_MISSING' });
});

test('what others call themselves is never taken for a sealed text', async (t) => {
  const { database } = await withTestDatabase(t);
  await insertCloud(database);
  const name = `${sealedPrefix}AAAAAAAAAAAAAAAA:json:AAAA`;
  await database.updateTable('account').set({ account_name: name }).execute();
  const account = await database.selectFrom('account').select('account_name').executeTakeFirstOrThrow();
  assert.equal(account.account_name, name);
});

test('every column that is declared sealed is one of the database', async (t) => {
  const { database } = await withTestDatabase(t);
  const tables = await database.introspection.getTables();
  for (const [table, columns] of Object.entries(sealedColumns)) {
    const found = tables.find(({ name }) => name === table)?.columns.map(({ name }) => name) ?? [];
    for (const column of columns) assert.ok(found.includes(column), `${table}.${column}`);
  }
});

test('the plugin leaves other tables alone', async (t) => {
  const { database } = await withTestDatabase(t);
  const keys = secretKeys([randomBytes(32)]);
  const query = database
    .withPlugin(sealingPlugin(keys))
    .insertInto('configuration')
    .values({ name: 'n' satisfies Tables['configuration']['name'], value: 'in clear' })
    .compile();
  assert.ok(query.parameters.includes('in clear'));
});
