import { entityNotFound, specs } from '@millrace/api';
import { isSettingName, type SettingName, settings } from '../domain/settings.ts';
import { clusterSettings, isClusterSetting, overCommitByCluster } from '../store/cluster-details.ts';
import type { Database } from '../store/database.ts';
import { readSettings } from '../store/settings.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';
import { clusterConfigurationEntity, configurationEntity } from './responses/configuration.ts';

export const listConfigurations = implement(specs.listConfigurations, async ({ params, database }) => {
  const page = await pageFrom(database, params);
  if (params.clusterid !== undefined) return listOfCluster(database, params.clusterid, params.name);
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

/** What a cluster may have of its own, with the values that hold there. */
async function listOfCluster(database: Database, clusterUuid: string, name: string | undefined) {
  const cluster = await database
    .selectFrom('cluster')
    .select('id')
    .where('uuid', '=', clusterUuid)
    .where('removed', 'is', null)
    .executeTakeFirst();
  if (!cluster) throw entityNotFound('clusterid', clusterUuid);
  const own = (await overCommitByCluster(database)).get(cluster.id) ?? {};
  const values = await readSettings(database);
  const list = Object.keys(clusterSettings)
    .filter(isClusterSetting)
    .filter((setting) => name === undefined || setting === name.toLowerCase())
    .map((setting) => {
      const value = own[clusterSettings[setting]];
      return clusterConfigurationEntity(setting, values, value === undefined ? undefined : String(value));
    });
  return { list, count: list.length };
}
