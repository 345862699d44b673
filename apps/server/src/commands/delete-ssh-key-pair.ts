import { invalidParameter, specs } from '@millrace/api';
import { recordEvent } from '../store/events.ts';
import { deleteSshKeyPairRow } from '../store/ssh-key-pairs.ts';
import { implement } from './command.ts';
import { ownerOf } from './scope.ts';

export const deleteSSHKeyPair = implement(specs.deleteSSHKeyPair, async ({ params, database, caller }) =>
  database.transaction().execute(async (trx) => {
    const { accountId } = await ownerOf(trx, caller, params);
    const uuid = await deleteSshKeyPairRow(trx, accountId, params.name);
    if (uuid === undefined) {
      throw invalidParameter('name', `the account has no SSH key pair ${params.name}`);
    }
    await recordEvent(trx, {
      type: 'DELETE.SSH.KEYPAIR',
      description: `deleted SSH key pair ${params.name}`,
      userId: caller.userId,
      accountId,
      resourceType: 'SSHKeyPair',
      resourceUuid: uuid,
    });
    return { success: true };
  }),
);
