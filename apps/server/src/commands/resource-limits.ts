import { invalidParameter, specs } from '@millrace/api';
import {
  type Amounts,
  type CountedType,
  countedTypes,
  isCounted,
  type ResourceName,
  resourceTypes,
  unlimited,
} from '../domain/resource-types.ts';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import {
  type Holder,
  limitsOfAccounts,
  limitsOfDomains,
  usedResources,
  type Whose,
  writeLimit,
} from '../store/resource-limits.ts';
import { findAccountWithDomain } from '../store/users.ts';
import { type Caller, implement } from './command.ts';
import { pagedOf } from './page.ts';
import { ownDomainReach, reachableAccount, reachableDomain } from './scope.ts';

interface Subject {
  readonly holder: Holder;
  readonly whose: Whose;
  readonly account: string | undefined;
  readonly domainUuid: string;
  readonly domain: string;
  readonly limits: Amounts;
}

export const listResourceLimits = implement(
  specs.listResourceLimits,
  async ({ params, database, caller }) => {
    const { resourcetype, resourcetypename } = params;
    const subject = await subjectOf(database, caller, params);
    const list = resourceTypes
      .filter(({ number }) => resourcetype === undefined || number === resourcetype)
      .filter(({ name }) => resourcetypename === undefined || name === resourcetypename.toLowerCase())
      .map((type) => limitEntity(subject, type));
    return pagedOf(database, list, params);
  },
);

export const updateResourceLimit = implement(
  specs.updateResourceLimit,
  async ({ params, database, caller }) => {
    const type = countedType(params.resourcetype);
    const max = params.max ?? unlimited;
    if (max < unlimited) throw invalidParameter('max', 'must be 0 or more, or -1 for no limit');
    return database.transaction().execute(async (trx) => {
      const { holder, account, domain } = await subjectOf(trx, caller, params);
      await demandAbove(trx, caller, holder);
      await writeLimit(trx, holder, type.name, max);
      await recordEvent(trx, {
        type: 'RESOURCE.LIMIT.UPDATE',
        description: `${account === undefined ? `domain ${domain}` : `account ${account}`} may have ${max === unlimited ? 'any amount of' : max} ${type.name}`,
        userId: caller.userId,
        accountId: caller.accountId,
      });
      return { object: limitEntity(await subjectOf(trx, caller, params), type) };
    });
  },
);

/** Nothing is kept that could be wrong: what there is is counted whenever it is asked for. */
export const updateResourceCount = implement(
  specs.updateResourceCount,
  async ({ params, database, caller }) => {
    const types = params.resourcetype === undefined ? countedTypes : [countedType(params.resourcetype)];
    const { whose, account, domain, domainUuid } = await subjectOf(database, caller, params);
    const used = await usedResources(database, whose);
    const list = types.map(({ number, name }) => ({
      account,
      domain,
      domainid: domainUuid,
      resourcetype: String(number),
      resourcetypename: name,
      resourcecount: used[name],
    }));
    return { list, count: list.length };
  },
);

/** @throws ApiError 431 */
function countedType(number: number): CountedType {
  const type = resourceTypes.find((candidate) => candidate.number === number);
  if (!type) throw invalidParameter('resourcetype', 'must be 0, 2, 4, 8, 9 or 10');
  if (!isCounted(type))
    throw invalidParameter('resourcetype', `${type.name}: there are none that are counted`);
  return type;
}

/** Nobody raises their own limits: a domain admin those of accounts and domains below, a root admin all. */
async function demandAbove(executor: Executor, caller: Caller, holder: Holder): Promise<void> {
  if (caller.role === 'admin') return;
  if ('accountId' in holder) {
    if (holder.accountId === caller.accountId)
      throw invalidParameter('account', 'one’s own limits are set by the administrator above');
    return;
  }
  const domain = await executor
    .selectFrom('domain')
    .select('path')
    .where('id', '=', holder.domainId)
    .executeTakeFirstOrThrow();
  if (domain.path === ownDomainReach(caller))
    throw invalidParameter('domainid', 'one’s own domain’s limits are set by the administrator above');
}

/** @throws ApiError 431, 531 */
async function subjectOf(
  executor: Executor,
  caller: Caller,
  params: { readonly account?: string | undefined; readonly domainid?: string | undefined },
): Promise<Subject> {
  if (params.account === undefined && params.domainid !== undefined && caller.role !== 'user') {
    const domain = await reachableDomain(executor, caller, params.domainid);
    const limits = (await limitsOfDomains(executor, [domain])).get(domain.id) ?? {};
    const { id: domainId, uuid: domainUuid, name } = domain;
    const whose = { domainPath: domain.path };
    return { holder: { domainId }, whose, account: undefined, domainUuid, domain: name, limits };
  }
  const named =
    params.account === undefined
      ? caller.accountId
      : (await reachableAccount(executor, caller, params.account, params.domainid)).id;
  const account = await findAccountWithDomain(executor, named);
  return {
    holder: { accountId: account.id },
    whose: { accountId: account.id },
    account: account.account_name,
    domainUuid: account.domain_uuid,
    domain: account.domain_name,
    limits: (await limitsOfAccounts(executor, [account])).get(account.id) ?? {},
  };
}

function limitEntity(subject: Subject, type: (typeof resourceTypes)[number]) {
  const name: string = type.name;
  return {
    account: subject.account,
    domainid: subject.domainUuid,
    domain: subject.domain,
    resourcetype: String(type.number),
    resourcetypename: name,
    max: isCounted(type) ? (subject.limits[name as ResourceName] ?? unlimited) : unlimited,
  };
}
