import { ApiError, invalidParameter, specs } from '@millrace/api';
import { isSettingName, parseSetting, settings } from '../domain/settings.ts';
import { recordEvent } from '../store/events.ts';
import { readSettings, writeSetting } from '../store/settings.ts';
import { implement } from './command.ts';
import { configurationEntity } from './responses/configuration.ts';

export const updateConfiguration = implement(
  specs.updateConfiguration,
  async ({ params, database, caller }) => {
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
  },
);
