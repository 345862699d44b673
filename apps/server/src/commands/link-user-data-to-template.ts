import { entityNotFound, invalidParameter, specs } from '@millrace/api';
import { userDataPolicyOf } from '../domain/user-data.ts';
import { recordEvent } from '../store/events.ts';
import { lockTemplate } from '../store/templates.ts';
import { holdUserData } from '../store/user-data.ts';
import { implement } from './command.ts';
import { shownTemplate } from './responses/template.ts';
import { reachOf } from './scope.ts';

export const linkUserDataToTemplate = implement(
  specs.linkUserDataToTemplate,
  async ({ params, database, caller }) => {
    const [param, uuid] = templateOf(params);
    const policy = userDataPolicyOf('userdatapolicy', params.userdatapolicy ?? 'ALLOWOVERRIDE');
    const templateId = await database.transaction().execute(async (trx) => {
      const kind = param === 'isoid' ? 'iso' : 'template';
      const template = await lockTemplate(trx, uuid, reachOf(caller), kind);
      if (!template) throw entityNotFound(param, uuid);
      const data =
        params.userdataid === undefined
          ? undefined
          : await holdUserData(trx, params.userdataid, reachOf(caller));
      if (params.userdataid !== undefined && !data) throw entityNotFound('userdataid', params.userdataid);
      await trx
        .updateTable('vm_template')
        .set({ user_data_id: data?.id ?? null, user_data_link_policy: data ? policy : null })
        .where('id', '=', template.id)
        .execute();
      await recordEvent(trx, {
        type: 'LINK.USER.DATA',
        description: data
          ? `linked user data ${data.name} to template ${template.name}`
          : `took the user data from template ${template.name}`,
        userId: caller.userId,
        accountId: template.account_id,
        resourceType: kind === 'iso' ? 'Iso' : 'Template',
        resourceUuid: template.uuid,
      });
      return template.id;
    });
    return { object: await shownTemplate(database, templateId, caller) };
  },
);

function templateOf(params: {
  readonly templateid?: string | undefined;
  readonly isoid?: string | undefined;
}): ['templateid' | 'isoid', string] {
  const { templateid, isoid } = params;
  if (templateid !== undefined && isoid === undefined) return ['templateid', templateid];
  if (isoid !== undefined && templateid === undefined) return ['isoid', isoid];
  throw invalidParameter('templateid', 'either it or isoid must be given');
}
