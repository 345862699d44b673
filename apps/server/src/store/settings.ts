import { type SettingName, type Settings, type SettingValue, settingsFrom } from '../domain/settings.ts';
import type { Executor } from './database.ts';
import { type SettingPlace, textsAt } from './scoped-settings.ts';

/** Every setting as it is now: for the whole cloud, or the nearest values at a place. */
export async function readSettings(executor: Executor, place?: SettingPlace): Promise<Settings> {
  if (place) return settingsFrom(await textsAt(executor, place));
  const rows = await executor.selectFrom('configuration').select(['name', 'value']).execute();
  return settingsFrom(new Map(rows.map((row) => [row.name, row.value])));
}

/** One setting as it is now: for the whole cloud, or the nearest value at a place. */
export async function readSetting<N extends SettingName>(
  executor: Executor,
  name: N,
  place?: SettingPlace,
): Promise<SettingValue<N>> {
  if (place) return (await readSettings(executor, place))[name];
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
