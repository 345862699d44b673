import { specs } from '@millrace/api';
import { implement } from './command.ts';
import { keyHolder } from './key-holder.ts';

export const getUserKeys = implement(specs.getUserKeys, async ({ params, database, caller }) => {
  const user = await keyHolder(database, caller, params.id);
  return { object: { apikey: user.api_key ?? undefined, secretkey: user.secret_key ?? undefined } };
});
