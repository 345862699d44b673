import { invalidParameter, specs } from '@millrace/api';
import { everything } from '../store/paging.ts';
import { listUserRows } from '../store/users.ts';
import { implement } from './command.ts';
import { userEntity } from './responses/user.ts';
import { reachOf } from './scope.ts';

export const getUser = implement(specs.getUser, async ({ params, database, caller }) => {
  const filter = { scope: reachOf(caller), apiKey: params.userapikey };
  const [user] = (await listUserRows(database, filter, everything)).rows;
  if (!user) throw invalidParameter('userapikey', 'no user has this API key');
  return { object: userEntity(user) };
});
