import { specs } from '@millrace/api';
import { listUserRows } from '../store/users.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';
import { userEntity } from './responses/user.ts';
import { listScope } from './scope.ts';

export const listUsers = implement(specs.listUsers, async ({ params, database, caller }) => {
  const filter = {
    // administrators look for users of other accounts; a user sees those of the own account
    scope: await listScope(database, caller, params, caller.role !== 'user'),
    uuid: params.id,
    username: params.username,
    keyword: params.keyword,
    accountType: params.accounttype,
    state: params.state,
  };
  const { rows, count } = await listUserRows(database, filter, await pageFrom(database, params));
  return { list: rows.map(userEntity), count };
});
