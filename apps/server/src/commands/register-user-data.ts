import { randomUUID } from 'node:crypto';
import { invalidParameter, specs } from '@millrace/api';
import { displayableName } from '../domain/template-registration.ts';
import { decodeUserData, variableNames } from '../domain/user-data.ts';
import { recordEvent } from '../store/events.ts';
import { insertUserData, listUserDataRows } from '../store/user-data.ts';
import { implement } from './command.ts';
import { userDataEntities } from './responses/guest-access.ts';
import { ownerOf } from './scope.ts';

export const registerUserData = implement(specs.registerUserData, async ({ params, database, caller }) => {
  const name = displayableName('name', params.name);
  const data = decodeUserData('userdata', params.userdata);
  const variables = params.params === undefined ? [] : variableNames('params', params.params);
  return database.transaction().execute(async (trx) => {
    const { accountId } = await ownerOf(trx, caller, params);
    const uuid = randomUUID();
    const stored = await insertUserData(trx, {
      uuid,
      account_id: accountId,
      name,
      user_data: data,
      params: variables.length > 0 ? variables.join(',') : null,
    });
    const scope = { kind: 'account', accountId } as const;
    const [row] = (await listUserDataRows(trx, { scope, uuid }, { limit: 1, offset: 0 })).rows;
    if (!stored || !row) throw invalidParameter('name', `the account has user data ${name} already`);
    await recordEvent(trx, {
      type: 'REGISTER.USER.DATA',
      description: `registered user data ${name}`,
      userId: caller.userId,
      accountId,
      resourceType: 'UserData',
      resourceUuid: uuid,
    });
    const [entity] = await userDataEntities(trx, [row]);
    return { object: entity! };
  });
});
