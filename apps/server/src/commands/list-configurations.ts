import { specs } from '@millrace/api';
import { isSettingName, type SettingName, settings } from '../domain/settings.ts';
import { readSettings } from '../store/settings.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';
import { configurationEntity } from './responses/configuration.ts';

export const listConfigurations = implement(specs.listConfigurations, async ({ params, database }) => {
  const page = await pageFrom(database, params);
  const same = (a: string, b: string | undefined) => b === undefined || a.toLowerCase() === b.toLowerCase();
  const names = Object.keys(settings)
    .filter(isSettingName)
    .filter((name: SettingName) => {
      const { category, group, subgroup } = settings[name];
      return (
        same(name, params.name) &&
        same(category, params.category) &&
        same(group, params.group) &&
        same(subgroup, params.subgroup) &&
        // no setting is below another
        params.parent === undefined &&
        name.includes(params.keyword?.toLowerCase() ?? '')
      );
    })
    .sort();
  const end = page.limit === undefined ? undefined : page.offset + page.limit;
  const values = await readSettings(database);
  return {
    list: names.slice(page.offset, end).map((name) => configurationEntity(name, values)),
    count: names.length,
  };
});
