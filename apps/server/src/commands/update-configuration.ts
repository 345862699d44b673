import { ApiError, entityNotFound, invalidParameter, specs } from '@millrace/api';
import { isSettingName, parseSetting, type SettingName, settings } from '../domain/settings.ts';
import { isClusterSetting, writeClusterSetting } from '../store/cluster-details.ts';
import type { Database } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { readSettings, writeSetting } from '../store/settings.ts';
import { type Caller, implement } from './command.ts';
import { clusterConfigurationEntity, configurationEntity } from './responses/configuration.ts';

export const updateConfiguration = implement(specs.updateConfiguration, ({ params, ...context }) =>
  change(context, params),
);

export const resetConfiguration = implement(specs.resetConfiguration, ({ params, ...context }) =>
  change(context, { name: params.name, clusterid: params.clusterid, value: undefined }),
);

/** @param params.value absent: the default again */
async function change(
  { database, caller }: { readonly database: Database; readonly caller: Caller },
  params: {
    readonly name: string;
    readonly value?: string | undefined;
    readonly clusterid?: string | undefined;
  },
) {
  const { name, value } = params;
  if (!isSettingName(name)) {
    throw new ApiError(
      'PARAM_ERROR',
      `Config parameter with name ${name} doesn't exist; listConfigurations names them all`,
    );
  }
  const parsed = value === undefined ? undefined : parseSetting(settings[name], value);
  if (parsed && 'problem' in parsed) throw invalidParameter('value', parsed.problem);
  const text = parsed === undefined ? undefined : String(parsed.value);
  const { clusterid } = params;
  if (clusterid !== undefined)
    return { object: await setForCluster({ database, caller }, clusterid, name, text) };
  const values = await database.transaction().execute(async (trx) => {
    await writeSetting(trx, name, text);
    await recordEvent(trx, {
      type: 'CONFIGURATION.VALUE.EDIT',
      description: `setting ${name} is now ${text === undefined ? 'its default' : `"${text}"`}`,
      userId: caller.userId,
      accountId: caller.accountId,
    });
    return readSettings(trx);
  });
  return { object: configurationEntity(name, values) };
}

/** @throws ApiError 431 */
async function setForCluster(
  { database, caller }: { readonly database: Database; readonly caller: Caller },
  clusterUuid: string,
  name: SettingName,
  text: string | undefined,
) {
  if (!isClusterSetting(name))
    throw invalidParameter('clusterid', `${name} has one value for the whole cloud: leave it out`);
  return database.transaction().execute(async (trx) => {
    const cluster = await trx
      .selectFrom('cluster')
      .select(['id', 'name'])
      .where('uuid', '=', clusterUuid)
      .where('removed', 'is', null)
      .forUpdate()
      .executeTakeFirst();
    if (!cluster) throw entityNotFound('clusterid', clusterUuid);
    await writeClusterSetting(trx, cluster.id, name, text);
    await recordEvent(trx, {
      type: 'CONFIGURATION.VALUE.EDIT',
      description: `setting ${name} of cluster ${cluster.name} is now ${text === undefined ? 'the cloud’s' : `"${text}"`}`,
      userId: caller.userId,
      accountId: caller.accountId,
    });
    return clusterConfigurationEntity(name, await readSettings(trx), text);
  });
}
