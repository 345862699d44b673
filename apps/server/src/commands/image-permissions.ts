import { entityNotFound, invalidParameter, missingParameter, specs } from '@millrace/api';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { accountsSharing, shareTemplate, unshareTemplate } from '../store/launch-permissions.ts';
import type { Row } from '../store/schema.ts';
import { readSetting } from '../store/settings.ts';
import { type ImageKind, lockTemplate } from '../store/templates.ts';
import { accountsOfDomain, domainOfAccount } from '../store/users.ts';
import { type Caller, type CommandDependencies, implement } from './command.ts';
import { demandVisibility, kindOf } from './register-image.ts';
import { reachOf } from './scope.ts';

type Context = CommandDependencies & { readonly caller: Caller };

interface PermissionChange {
  readonly id: string;
  readonly op?: string | undefined;
  readonly accounts?: readonly string[] | undefined;
  readonly ispublic?: boolean | undefined;
  readonly isfeatured?: boolean | undefined;
  readonly isextractable?: boolean | undefined;
}

export const updateTemplatePermissions = implement(specs.updateTemplatePermissions, (context) =>
  change(context, 'template', 'updateTemplatePermissions', context.params),
);

export const updateIsoPermissions = implement(specs.updateIsoPermissions, (context) =>
  change(context, 'iso', 'updateIsoPermissions', context.params),
);

export const listTemplatePermissions = implement(specs.listTemplatePermissions, (context) =>
  tell(context, 'template', context.params.id),
);

export const listIsoPermissions = implement(specs.listIsoPermissions, (context) =>
  tell(context, 'iso', context.params.id),
);

async function tell({ database, caller }: Context, kind: ImageKind, uuid: string) {
  return database.transaction().execute(async (trx) => {
    const image = await lockTemplate(trx, uuid, reachOf(caller), kind);
    if (!image) throw entityNotFound('id', uuid);
    const domain = await domainOfAccount(trx, image.account_id);
    return {
      object: {
        id: image.uuid,
        ispublic: image.public,
        domainid: domain.uuid,
        account: await accountsSharing(trx, image.id),
      },
    };
  });
}

async function change(
  { database, caller }: Context,
  kind: ImageKind,
  command: string,
  asked: PermissionChange,
): Promise<{ success: true }> {
  const op = operationOf(command, asked);
  await database.transaction().execute(async (trx) => {
    const image = await lockTemplate(trx, asked.id, reachOf(caller), kind);
    if (!image) throw entityNotFound('id', asked.id);
    const format = kind === 'iso' ? 'ISO' : 'QCOW2';
    const allowed = await readSetting(trx, 'allow.public.user.templates', { accountId: image.account_id });
    demandVisibility({ ...asked, format }, caller, allowed);
    const columns = Object.fromEntries(
      Object.entries({
        public: op === 'reset' ? false : asked.ispublic,
        featured: op === 'reset' ? false : asked.isfeatured,
        extractable: asked.isextractable,
      }).filter(([, value]) => value !== undefined),
    );
    if (Object.keys(columns).length > 0)
      await trx.updateTable('vm_template').set(columns).where('id', '=', image.id).execute();
    if (op === 'reset') await unshareTemplate(trx, image.id);
    if (op === 'add' || op === 'remove') {
      const accounts = await accountsNamed(trx, image, asked.accounts ?? []);
      if (op === 'add') await shareTemplate(trx, image.id, accounts);
      else await unshareTemplate(trx, image.id, accounts);
    }
    const word = kindOf({ format });
    await recordEvent(trx, {
      type: `${word.event}.UPDATE`,
      description: `changed who may use ${word.word} ${image.name}: ${wordsOf(op, asked)}`,
      userId: caller.userId,
      accountId: image.account_id,
      resourceType: word.resource,
      resourceUuid: image.uuid,
    });
  });
  return { success: true };
}

function operationOf(command: string, { op, accounts }: PermissionChange) {
  const word = op?.toLowerCase();
  if (word !== undefined && word !== 'add' && word !== 'remove' && word !== 'reset')
    throw invalidParameter('op', 'must be add, remove or reset');
  if (accounts !== undefined && word !== 'add' && word !== 'remove')
    throw invalidParameter('accounts', 'needs op=add or op=remove beside it');
  if ((word === 'add' || word === 'remove') && accounts === undefined)
    throw missingParameter(command, 'accounts');
  return word;
}

/** @throws ApiError 431 for a name that no account of the owner's domain has */
async function accountsNamed(
  executor: Executor,
  image: Row<'vm_template'>,
  names: readonly string[],
): Promise<number[]> {
  const domain = await domainOfAccount(executor, image.account_id);
  const found = await accountsOfDomain(executor, domain.id, names);
  return names.map((name) => {
    const account = found.find(({ account_name }) => account_name === name);
    if (!account)
      throw invalidParameter(
        'accounts',
        `there is no account ${name} in the domain of its owner, ${domain.name}`,
      );
    if (account.id === image.account_id)
      throw invalidParameter('accounts', `${name} owns it and may use it anyway`);
    return account.id;
  });
}

function wordsOf(op: string | undefined, asked: PermissionChange): string {
  const flags = (['ispublic', 'isfeatured', 'isextractable'] as const).flatMap((name) =>
    asked[name] === undefined ? [] : [`${name}=${asked[name]}`],
  );
  const accounts = asked.accounts === undefined ? [] : [`${op} ${asked.accounts.join(', ')}`];
  return [...(op === 'reset' ? ['nobody but its owner'] : []), ...accounts, ...flags].join('; ') || 'nothing';
}
