import { randomBytes } from 'node:crypto';
import { specs } from '@millrace/api';
import { recordEvent } from '../store/events.ts';
import { storeUserKeys } from '../store/users.ts';
import { implement } from './command.ts';
import { keyHolder } from './key-holder.ts';

/** Long enough for HMAC, and made of letters that no client has to encode. */
const keyBytes = 48;

export const registerUserKeys = implement(specs.registerUserKeys, async ({ params, database, caller }) => {
  const keys = {
    apiKey: randomBytes(keyBytes).toString('base64url'),
    secretKey: randomBytes(keyBytes).toString('base64url'),
  };
  await database.transaction().execute(async (trx) => {
    const user = await keyHolder(trx, caller, params.id);
    await storeUserKeys(trx, user.id, keys);
    await recordEvent(trx, {
      type: 'REGISTER.USER.KEY',
      description: `new API keys for user ${user.username}`,
      userId: caller.userId,
      accountId: user.account_id,
      resourceType: 'User',
      resourceUuid: user.uuid,
    });
  });
  return { object: { apikey: keys.apiKey, secretkey: keys.secretKey } };
});
