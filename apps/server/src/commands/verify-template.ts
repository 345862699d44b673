import { invalidParameter, specs } from '@millrace/api';
import { implement } from './command.ts';
import { findCopy } from './find-copy.ts';
import { reachOf } from './scope.ts';

/** Begins to read a template's copy back and to compare it with what it was. */
export const verifyTemplate = implement(specs.verifyTemplate, async ({ params, database, jobs, caller }) => {
  const jobId = await database.transaction().execute(async (trx) => {
    const { template, place, key, copy } = await findCopy(trx, params, reachOf(caller), 'data_store');
    if (copy.state !== 'Ready')
      throw invalidParameter('storageid', `${place.name} has no whole copy of ${template.name}`);
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
