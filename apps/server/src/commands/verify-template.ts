import { entityNotFound, invalidParameter, specs } from '@millrace/api';
import { lockTemplate } from '../store/templates.ts';
import { implement } from './command.ts';
import { reachOf } from './scope.ts';

/** Begins to read a template's copy back and to compare it with what it was. */
export const verifyTemplate = implement(specs.verifyTemplate, async ({ params, database, jobs, caller }) => {
  const jobId = await database.transaction().execute(async (trx) => {
    const template = await lockTemplate(trx, params.templateid, reachOf(caller));
    if (!template) throw entityNotFound('templateid', params.templateid);
    const place = await trx
      .selectFrom('data_store')
      .select(['id', 'name'])
      .where('uuid', '=', params.storageid)
      .where('removed', 'is', null)
      .executeTakeFirst();
    if (!place) throw entityNotFound('storageid', params.storageid);
    const key = { templateId: template.id, poolId: place.id };
    const copy = await trx
      .selectFrom('template_spool_ref')
      .select('id')
      .where('pool_id', '=', key.poolId)
      .where('template_id', '=', key.templateId)
      .where('state', '=', 'Ready')
      .executeTakeFirst();
    if (!copy) throw invalidParameter('storageid', `${place.name} has no whole copy of ${template.name}`);
    return jobs.enqueue(trx, {
      command: 'verifyTemplate',
      parameters: key,
      userId: caller.userId,
      accountId: caller.accountId,
      instanceType: 'Template',
      instanceUuid: template.uuid,
    });
  });
  return { jobId };
});
