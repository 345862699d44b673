import { accountEntities } from '../commands/responses/identity.ts';
import { loadTemplate } from '../commands/responses/template.ts';
import { userEntity } from '../commands/responses/user.ts';
import type { JobDefinitions } from '../jobs/job-runner.ts';
import { listAccountRows } from '../store/accounts.ts';
import { everything } from '../store/paging.ts';
import { listUserRows } from '../store/users.ts';

const anybodys = { kind: 'everything' } as const;

/** What the requests have done already; clients expect jobs of them all the same. What is left is to answer. */
export function doneJobs(): Pick<
  JobDefinitions,
  | 'deleteDomain'
  | 'deleteAccount'
  | 'disableAccount'
  | 'disableUser'
  | 'copyTemplate'
  | 'scaleVirtualMachine'
  | 'createTags'
  | 'deleteTags'
> {
  const done = { run: async () => ({ success: true }) };
  return {
    deleteDomain: done,
    deleteAccount: done,
    scaleVirtualMachine: done,
    createTags: done,
    deleteTags: done,
    copyTemplate: {
      run: (context) =>
        context.read(async (database) => ({
          template: await loadTemplate(database, context.parameters.templateId),
        })),
    },
    disableAccount: {
      run: (context) =>
        context.read(async (database) => {
          const filter = { scope: anybodys, uuid: context.parameters.accountUuid };
          const { rows } = await listAccountRows(database, filter, everything);
          return { account: (await accountEntities(database, rows))[0] ?? {} };
        }),
    },
    disableUser: {
      run: (context) =>
        context.read(async (database) => {
          const filter = { scope: anybodys, uuid: context.parameters.userUuid };
          const [row] = (await listUserRows(database, filter, everything)).rows;
          return { user: row === undefined ? {} : userEntity(row) };
        }),
    },
  };
}
