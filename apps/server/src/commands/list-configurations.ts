import { specs } from '@millrace/api';
import { scopesOf } from '../domain/setting-scopes.ts';
import { isSettingName, type SettingName, settings } from '../domain/settings.ts';
import { placeOfHolder } from '../store/scoped-settings.ts';
import { readSettings } from '../store/settings.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';
import { configurationEntity } from './responses/configuration.ts';
import { holderAsked, holderNamed } from './setting-holder.ts';

export const listConfigurations = implement(specs.listConfigurations, async ({ params, database }) => {
  const page = await pageFrom(database, params);
  const asked = holderAsked(params);
  const holder = asked && (await holderNamed(database, asked));
  const same = (a: string, b: string | undefined) => b === undefined || a.toLowerCase() === b.toLowerCase();
  const names = Object.keys(settings)
    .filter(isSettingName)
    .filter((name: SettingName) => {
      const { category, group, subgroup } = settings[name];
      return (
        (!holder || scopesOf(name).includes(holder.scope)) &&
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
  const values = await readSettings(database, holder && placeOfHolder(holder));
  return {
    list: names.slice(page.offset, end).map((name) => configurationEntity(name, values, holder?.scope)),
    count: names.length,
  };
});
