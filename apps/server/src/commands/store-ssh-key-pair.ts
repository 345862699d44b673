import { randomUUID } from 'node:crypto';
import type { EntityOf, sshKeyPairFields } from '@millrace/api';
import { invalidParameter } from '@millrace/api';
import { parsePublicKey } from '../domain/ssh-keys.ts';
import { displayableName } from '../domain/template-registration.ts';
import { recordEvent } from '../store/events.ts';
import { insertSshKeyPair, listSshKeyPairRows } from '../store/ssh-key-pairs.ts';
import type { Caller, CommandDependencies } from './command.ts';
import { sshKeyPairEntity } from './responses/guest-access.ts';
import { ownerOf } from './scope.ts';

/**
 * Keeps the public half of a key pair for an account.
 * @throws ApiError 431 when the account has one of this name, or this very key
 */
export async function storeSshKeyPair(
  { database, caller }: Pick<CommandDependencies, 'database'> & { readonly caller: Caller },
  pair: {
    readonly event: 'REGISTER.SSH.KEYPAIR' | 'CREATE.SSH.KEYPAIR';
    readonly name: string;
    readonly publicKey: string;
    readonly owner: { readonly account?: string | undefined; readonly domainid?: string | undefined };
  },
): Promise<EntityOf<typeof sshKeyPairFields>> {
  const name = keyPairName(pair.name);
  const key = parsePublicKey('publickey', pair.publicKey);
  return database.transaction().execute(async (trx) => {
    const { accountId } = await ownerOf(trx, caller, pair.owner);
    const uuid = randomUUID();
    const stored = await insertSshKeyPair(trx, {
      uuid,
      account_id: accountId,
      keypair_name: name,
      fingerprint: key.fingerprint,
      public_key: key.line,
    });
    const scope = { kind: 'account', accountId } as const;
    const filter = stored ? { scope, uuid } : { scope, name };
    const [row] = (await listSshKeyPairRows(trx, filter, { limit: 1, offset: 0 })).rows;
    if (!stored || !row) {
      throw row
        ? invalidParameter('name', `the account has a key pair ${name} already`)
        : invalidParameter('publickey', 'the account has this key already, under another name');
    }
    await recordEvent(trx, {
      type: pair.event,
      description: `${pair.event === 'CREATE.SSH.KEYPAIR' ? 'made' : 'registered'} SSH key pair ${name}`,
      userId: caller.userId,
      accountId,
      resourceType: 'SSHKeyPair',
      resourceUuid: uuid,
    });
    return sshKeyPairEntity(row);
  });
}

/** Names are told in a list with commas between them. */
function keyPairName(text: string): string {
  const name = displayableName('name', text);
  if (name.includes(',')) throw invalidParameter('name', 'must not contain a comma');
  return name;
}
