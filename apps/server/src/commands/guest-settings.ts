import { entityNotFound, invalidParameter, userDataLength } from '@millrace/api';
import { appendUserData, decodeUserData, variablesOf } from '../domain/user-data.ts';
import type { Executor } from '../store/database.ts';
import type { Row, RowUpdate, SshKey } from '../store/schema.ts';
import { sshKeysNamed } from '../store/ssh-key-pairs.ts';
import { holdLinkedUserData, holdUserData } from '../store/user-data.ts';
import type { Caller } from './command.ts';
import { reachOf } from './scope.ts';

interface UserDataParams {
  readonly userdata?: string | undefined;
  readonly userdataid?: string | undefined;
  readonly userdatadetails?: Readonly<Record<string, string>> | undefined;
}

type UserDataColumns = Pick<RowUpdate<'vm_instance'>, 'user_data' | 'user_data_id' | 'user_data_details'>;

/**
 * The user data of an instance: what the parameters give, joined with what is linked to the template by the rule of that
 * link (CloudStack's UserDataManager). Columns that nothing was said of are absent.
 * @throws ApiError 431
 */
export async function userDataColumns(
  executor: Executor,
  caller: Caller,
  params: UserDataParams,
  template: Pick<Row<'vm_template'>, 'name' | 'user_data_id' | 'user_data_link_policy'>,
): Promise<UserDataColumns> {
  const own = await givenUserData(executor, caller, params);
  const linked =
    template.user_data_id === null ? undefined : await holdLinkedUserData(executor, template.user_data_id);
  const chosen = linked ? joined(own, { text: linked.user_data, id: linked.id }, template, params) : own;
  const { userdatadetails } = params;
  return {
    ...(chosen ? { user_data: chosen.text, user_data_id: chosen.id } : {}),
    ...(userdatadetails
      ? { user_data_details: JSON.stringify(variablesOf('userdatadetails', userdatadetails)) }
      : {}),
  };
}

interface ChosenUserData {
  readonly text: string;
  /** Of stored user data. */
  readonly id: number | null;
}

async function givenUserData(
  executor: Executor,
  caller: Caller,
  { userdata, userdataid }: UserDataParams,
): Promise<ChosenUserData | undefined> {
  if (userdata !== undefined && userdataid !== undefined) {
    throw invalidParameter('userdata', 'cannot be used together with userdataid');
  }
  if (userdata !== undefined) return { text: decodeUserData('userdata', userdata), id: null };
  if (userdataid === undefined) return undefined;
  const stored = await holdUserData(executor, userdataid, reachOf(caller));
  if (!stored) throw entityNotFound('userdataid', userdataid);
  return { text: stored.user_data, id: stored.id };
}

function joined(
  own: ChosenUserData | undefined,
  linked: ChosenUserData,
  template: Pick<Row<'vm_template'>, 'name' | 'user_data_link_policy'>,
  params: UserDataParams,
): ChosenUserData {
  if (!own) return linked;
  const param = params.userdata === undefined ? 'userdataid' : 'userdata';
  switch (template.user_data_link_policy) {
    case 'DENYOVERRIDE':
      throw invalidParameter(param, `template ${template.name} has user data that nothing may override`);
    case 'APPEND': {
      const text = appendUserData(linked.text, own.text);
      if (text.length <= userDataLength) return { text, id: own.id ?? linked.id };
      throw invalidParameter(
        param,
        `with what template ${template.name} adds it must not be longer than ${userDataLength} characters`,
      );
    }
    default:
      return own;
  }
}

interface KeyParams {
  readonly keypair?: string | undefined;
  readonly keypairs?: readonly string[] | undefined;
}

/**
 * The key pairs that `keypair` and `keypairs` name, of the account that owns the instance.
 * @throws ApiError 431
 */
export async function keysNamed(
  executor: Executor,
  accountId: number,
  { keypair, keypairs }: KeyParams,
): Promise<SshKey[]> {
  if (keypair !== undefined && keypairs !== undefined) {
    throw invalidParameter('keypair', 'cannot be used together with keypairs');
  }
  const names = [...new Set(keypair === undefined ? keypairs : [keypair])];
  const keys = await sshKeysNamed(executor, accountId, names);
  return names.map((name) => {
    const key = keys.find((candidate) => candidate.name === name);
    if (key) return key;
    throw invalidParameter(
      keypair === undefined ? 'keypairs' : 'keypair',
      `the account that owns the instance has no SSH key pair ${name}`,
    );
  });
}
