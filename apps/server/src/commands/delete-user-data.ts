import { ApiError, entityNotFound, specs } from '@millrace/api';
import { recordEvent } from '../store/events.ts';
import { countUsersOfUserData, lockUserData } from '../store/user-data.ts';
import { implement } from './command.ts';
import { ownerOf, reachOf } from './scope.ts';

export const deleteUserData = implement(specs.deleteUserData, async ({ params, database, caller }) =>
  database.transaction().execute(async (trx) => {
    const scope =
      params.account === undefined
        ? reachOf(caller)
        : ({ kind: 'account', accountId: (await ownerOf(trx, caller, params)).accountId } as const);
    const data = await lockUserData(trx, params.id, scope);
    if (!data) throw entityNotFound('id', params.id);
    const users = await countUsersOfUserData(trx, data.id);
    if (users > 0) {
      throw new ApiError(
        'RESOURCE_IN_USE_ERROR',
        `user data ${data.name} is used by ${users} template(s) or instance(s): unlink or expunge them first`,
      );
    }
    await trx
      .updateTable('vm_template')
      .set({ user_data_id: null, user_data_link_policy: null })
      .where('user_data_id', '=', data.id)
      .execute();
    await trx.deleteFrom('user_data').where('id', '=', data.id).execute();
    await recordEvent(trx, {
      type: 'DELETE.USER.DATA',
      description: `deleted user data ${data.name}`,
      userId: caller.userId,
      accountId: data.account_id,
      resourceType: 'UserData',
      resourceUuid: data.uuid,
    });
    return { success: true };
  }),
);
