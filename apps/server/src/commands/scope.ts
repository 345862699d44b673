import { ApiError, entityNotFound, invalidParameter } from '@millrace/api';
import type { Executor } from '../store/database.ts';
import type { OwnerScope } from '../store/owner-scope.ts';
import { findAccount, findDomain } from '../store/users.ts';
import type { Caller } from './command.ts';

interface OwnerFilter {
  readonly account?: string | undefined;
  readonly domainid?: string | undefined;
  readonly isrecursive?: boolean | undefined;
  readonly listall?: boolean | undefined;
}

/** Everything the caller may see and change, whatever was asked for. */
export function reachOf(caller: Caller): OwnerScope {
  switch (caller.role) {
    case 'admin':
      return { kind: 'everything' };
    case 'domainadmin':
      return { kind: 'domain', path: caller.domainPath, recursive: true };
    case 'user':
      return { kind: 'account', accountId: caller.accountId };
  }
}

/** The path of the domain whose tree an administrator may administer. */
export function ownDomainReach(caller: Caller): string {
  return caller.role === 'admin' ? '/' : caller.domainPath;
}

/**
 * Whose rows a list shows: the caller's own unless an id is asked for, `listall` is set, or a domain or account is named.
 * @throws ApiError 431 when the domain or account does not exist, 531 when it is out of the caller's reach.
 */
export async function listScope(
  executor: Executor,
  caller: Caller,
  filter: OwnerFilter,
  namesIds: boolean,
): Promise<OwnerScope> {
  if (filter.account !== undefined) {
    const owner = await reachableAccount(executor, caller, filter.account, filter.domainid);
    return { kind: 'account', accountId: owner.id };
  }
  if (filter.domainid !== undefined) {
    const domain = await reachableDomain(executor, caller, filter.domainid);
    if (caller.role === 'user') return reachOf(caller);
    return { kind: 'domain', path: domain.path, recursive: filter.isrecursive === true };
  }
  if (namesIds || filter.listall) return reachOf(caller);
  return { kind: 'account', accountId: caller.accountId };
}

/**
 * Who will own what is created: the caller's account, or the one an administrator names.
 * @throws ApiError 431 or 531 like `listScope`
 */
export async function ownerOf(
  executor: Executor,
  caller: Caller,
  named: { readonly account?: string | undefined; readonly domainid?: string | undefined },
): Promise<{ readonly accountId: number; readonly accountName: string }> {
  if (named.account === undefined) {
    if (named.domainid !== undefined) {
      throw invalidParameter('domainid', 'needs the parameter account beside it');
    }
    return { accountId: caller.accountId, accountName: caller.accountName };
  }
  const owner = await reachableAccount(executor, caller, named.account, named.domainid);
  return { accountId: owner.id, accountName: owner.account_name };
}

/** An account by name that the caller may act for. @throws ApiError 431, 531 */
export async function reachableAccount(
  executor: Executor,
  caller: Caller,
  name: string,
  domainUuid: string | undefined,
) {
  const domain = domainUuid === undefined ? undefined : await reachableDomain(executor, caller, domainUuid);
  const account = await findAccount(executor, name, { uuid: domain?.uuid ?? caller.domainUuid });
  const within = account && (caller.role !== 'user' || account.id === caller.accountId);
  if (!within) {
    throw invalidParameter('account', `there is no account ${name} in the domain that you may act for`);
  }
  return account;
}

/** @throws ApiError 431, 531 */
export async function reachableDomain(executor: Executor, caller: Caller, uuid: string) {
  const domain = await findDomain(executor, uuid);
  if (!domain) throw entityNotFound('domainid', uuid);
  const reach = ownDomainReach(caller);
  const within = caller.role === 'user' ? domain.path === reach : domain.path.startsWith(reach);
  if (!within) throw new ApiError('ACCOUNT_ERROR', `you have no permission for domain ${uuid}`);
  return domain;
}
