import { type SettingName, type Settings, type SettingValue, settingsFrom } from '../domain/settings.ts';
import type { Executor } from './database.ts';

/** Every setting as it is now. */
export async function readSettings(executor: Executor): Promise<Settings> {
  const rows = await executor.selectFrom('configuration').select(['name', 'value']).execute();
  return settingsFrom(new Map(rows.map((row) => [row.name, row.value])));
}

/** One setting as it is now. */
export async function readSetting<N extends SettingName>(
  executor: Executor,
  name: N,
): Promise<SettingValue<N>> {
  const row = await executor
    .selectFrom('configuration')
    .select('value')
    .where('name', '=', name)
    .executeTakeFirst();
  return settingsFrom(new Map(row ? [[name, row.value]] : []))[name];
}

/** Stores a setting's text, which must have been parsed before; undefined brings back the default. */
export async function writeSetting(
  executor: Executor,
  name: SettingName,
  text: string | undefined,
): Promise<void> {
  if (text === undefined) {
    await executor.deleteFrom('configuration').where('name', '=', name).execute();
    return;
  }
  await executor
    .insertInto('configuration')
    .values({ name, value: text })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: text, updated: new Date() }))
    .execute();
}
