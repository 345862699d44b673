import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { withTestDatabase } from '../../../../test/postgres.ts';
import { migrate } from './migrate.ts';
import { readSetting } from './settings.ts';

test('what an operator decided of direct download is kept when its setting gets another name', async (t) => {
  const { database } = await withTestDatabase(t);
  const name = '000019_direct_download_setting.sql';
  await sql`delete from schema_migration where name = ${name}`.execute(database);
  await database
    .insertInto('configuration')
    .values({ name: 'direct.download.default', value: 'false' })
    .execute();
  assert.deepEqual(await migrate(database), [name]);
  assert.equal(await readSetting(database, 'template.direct.download.default'), 'false');
  assert.deepEqual(await migrate(database), []);
});
