import { ApiError, invalidParameter, specs } from '@millrace/api';
import { scopesOf } from '../domain/setting-scopes.ts';
import { isSettingName, parseSetting, type SettingName, settings } from '../domain/settings.ts';
import type { Database } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { placeOfHolder, writeScopedSetting } from '../store/scoped-settings.ts';
import { readSettings, writeSetting } from '../store/settings.ts';
import { type Caller, implement } from './command.ts';
import { configurationEntity } from './responses/configuration.ts';
import { type AskedHolder, type HolderParams, holderAsked, holderNamed } from './setting-holder.ts';

export const updateConfiguration = implement(specs.updateConfiguration, ({ params, ...context }) =>
  change(context, params),
);

export const resetConfiguration = implement(specs.resetConfiguration, ({ params, ...context }) =>
  change(context, { ...params, value: undefined }),
);

/** @param params.value absent: the default again, or what holds around the zone, cluster, pool, domain or account */
async function change(
  { database, caller }: { readonly database: Database; readonly caller: Caller },
  params: HolderParams & { readonly name: string; readonly value?: string | undefined },
) {
  const { name, value } = params;
  if (!isSettingName(name)) {
    throw new ApiError(
      'PARAM_ERROR',
      `Config parameter with name ${name} doesn't exist; listConfigurations names them all`,
    );
  }
  const asked = holderAsked(params);
  if (asked) demandScope(name, asked);
  const parsed = value === undefined ? undefined : parseSetting(settings[name], value);
  if (parsed && 'problem' in parsed) throw invalidParameter('value', parsed.problem);
  const text = parsed === undefined ? undefined : String(parsed.value);
  const object = await database.transaction().execute(async (trx) => {
    const holder = asked && (await holderNamed(trx, asked));
    if (holder) await writeScopedSetting(trx, holder, name, text);
    else await writeSetting(trx, name, text);
    const whose = holder ? ` of ${holder.scope} ${holder.name}` : '';
    const before = holder ? 'what holds around it' : 'its default';
    await recordEvent(trx, {
      type: 'CONFIGURATION.VALUE.EDIT',
      description: `setting ${name}${whose} is now ${text === undefined ? before : `"${text}"`}`,
      userId: caller.userId,
      accountId: caller.accountId,
    });
    return configurationEntity(name, await readSettings(trx, holder && placeOfHolder(holder)), holder?.scope);
  });
  return { object };
}

function demandScope(name: SettingName, { scope, param }: AskedHolder): void {
  const scopes = scopesOf(name);
  if (scopes.includes(scope)) return;
  throw invalidParameter(
    param,
    scopes.length === 0
      ? `${name} has one value for the whole cloud: leave it out`
      : `${name} has values of the whole cloud and of each ${scopes.join(', ')}`,
  );
}
