import { specs } from '@millrace/api';
import { listUserDataRows } from '../store/user-data.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';
import { userDataEntities } from './responses/guest-access.ts';
import { listScope } from './scope.ts';

export const listUserData = implement(specs.listUserData, async ({ params, database, caller }) => {
  const filter = {
    scope: await listScope(database, caller, params, params.id !== undefined),
    uuid: params.id,
    name: params.name,
    keyword: params.keyword,
  };
  const { rows, count } = await listUserDataRows(database, filter, await pageFrom(database, params));
  return { list: await userDataEntities(database, rows), count };
});
