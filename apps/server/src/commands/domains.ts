import { ApiError, entityNotFound, invalidParameter, specs } from '@millrace/api';
import { accountsOfDomains, belongingsOf, networksOfDomains, removeAccounts } from '../store/accounts.ts';
import type { Executor } from '../store/database.ts';
import {
  domainAt,
  domainTree,
  insertDomain,
  listDomainRows,
  lockDomain,
  removeDomains,
  renameDomain,
} from '../store/domains.ts';
import { recordEvent } from '../store/events.ts';
import { everything } from '../store/paging.ts';
import { type Caller, implement } from './command.ts';
import { pageFrom } from './page.ts';
import { domainEntities } from './responses/identity.ts';
import { ownDomainReach } from './scope.ts';

export const createDomain = implement(specs.createDomain, async ({ params, database, caller }) =>
  database.transaction().execute(async (trx) => {
    const name = domainName(params.name);
    const above = await lockedWithin(
      trx,
      caller,
      params.parentdomainid ?? caller.domainUuid,
      'parentdomainid',
    );
    const path = `${above.path}${name}/`;
    await demandFree(trx, path);
    const uuid = await insertDomain(trx, { name, path, parent: above.id, level: above.level + 1 });
    await note(trx, caller, { type: 'DOMAIN.CREATE', description: `made domain ${name}`, uuid });
    return { object: await loadDomain(trx, uuid) };
  }),
);

export const listDomains = implement(specs.listDomains, async ({ params, database, caller }) => {
  const { id, name, level, keyword } = params;
  // a root admin sees all of them, others their own unless they ask for more
  const recursive = caller.role === 'domainadmin' && (params.listall === true || id !== undefined);
  const scope =
    caller.role === 'admin'
      ? ({ kind: 'everything' } as const)
      : ({ kind: 'domain', path: caller.domainPath, recursive } as const);
  const filter = { scope, uuid: id, name, level, keyword };
  const { rows, count } = await listDomainRows(database, filter, await pageFrom(database, params));
  return { list: await domainEntities(database, rows), count };
});

export const listDomainChildren = implement(
  specs.listDomainChildren,
  async ({ params, database, caller }) => {
    const { name, keyword } = params;
    const above = await database
      .transaction()
      .execute((trx) => lockedWithin(trx, caller, params.id ?? caller.domainUuid, 'id'));
    const below = { path: above.path, level: above.level, recursive: params.isrecursive === true };
    const filter = { scope: { kind: 'everything' } as const, below, name, keyword };
    const { rows, count } = await listDomainRows(database, filter, await pageFrom(database, params));
    return { list: await domainEntities(database, rows), count };
  },
);

export const updateDomain = implement(specs.updateDomain, async ({ params, database, caller }) =>
  database.transaction().execute(async (trx) => {
    const domain = await lockedWithin(trx, caller, params.id, 'id');
    if (params.name !== undefined && params.name !== domain.name) {
      demandBelowOwn(caller, domain.path, 'renamed');
      const name = domainName(params.name);
      const path = `${domain.path.replace(/[^/]+\/$/, '')}${name}/`;
      if (path.toLowerCase() !== domain.path.toLowerCase()) await demandFree(trx, path);
      await renameDomain(trx, domain, name, path);
      const description = `renamed domain ${domain.name} to ${name}`;
      await note(trx, caller, { type: 'DOMAIN.UPDATE', description, uuid: domain.uuid });
    }
    return { object: await loadDomain(trx, domain.uuid) };
  }),
);

export const deleteDomain = implement(specs.deleteDomain, async ({ params, database, jobs, caller }) =>
  database.transaction().execute(async (trx) => {
    const domain = await lockedWithin(trx, caller, params.id, 'id');
    demandBelowOwn(caller, domain.path, 'deleted');
    const tree = await domainTree(trx, domain.path);
    const domainIds = tree.map(({ id }) => id);
    const accounts = await accountsOfDomains(trx, domainIds);
    if (params.cleanup !== true && tree.length + accounts.length > 1) {
      const inside = [
        ...tree.filter(({ id }) => id !== domain.id).map(({ name }) => `domain ${name}`),
        ...accounts.map(({ account_name }) => `account ${account_name}`),
      ];
      throw inUse(`domain ${domain.name}`, inside.slice(0, 5), 'delete them first, or use cleanup=true');
    }
    const accountIds = accounts.map(({ id }) => id);
    const belongings = [
      ...(await networksOfDomains(trx, domainIds)),
      ...(await belongingsOf(trx, accountIds)),
    ];
    if (belongings.length > 0)
      throw inUse(`domain ${domain.name}`, belongings, 'expunge or delete them first');
    await removeAccounts(trx, accountIds);
    await removeDomains(trx, domainIds);
    await note(trx, caller, {
      type: 'DOMAIN.DELETE',
      description: `deleted domain ${domain.name}`,
      uuid: domain.uuid,
    });
    const jobId = await jobs.enqueue(trx, {
      command: 'deleteDomain',
      parameters: {},
      userId: caller.userId,
      accountId: caller.accountId,
      instanceType: 'Domain',
      instanceUuid: domain.uuid,
    });
    return { jobId };
  }),
);

/** What keeps something from being deleted, by name. */
export function inUse(what: string, inside: readonly string[], next: string): ApiError {
  return new ApiError('PARAM_ERROR', `${what} still has ${inside.join(', ')}: ${next}`);
}

/** A domain within the caller's reach, locked. @throws ApiError 431, in the same words for one that is not there */
export async function lockedWithin(executor: Executor, caller: Caller, uuid: string, param: string) {
  const domain = await lockDomain(executor, uuid);
  if (!domain?.path.startsWith(ownDomainReach(caller))) throw entityNotFound(param, uuid);
  return domain;
}

function demandBelowOwn(caller: Caller, path: string, done: string): void {
  if (path === '/') throw invalidParameter('id', `the ROOT domain cannot be ${done}`);
  if (path === caller.domainPath) throw invalidParameter('id', `your own domain cannot be ${done}`);
}

function domainName(text: string): string {
  const name = text.trim();
  if (!/^[^/\p{Cc}]{1,255}$/u.test(name) || name.toUpperCase() === 'ROOT')
    throw invalidParameter('name', 'must have 1 to 255 characters, no slash, and not be ROOT');
  return name;
}

async function demandFree(executor: Executor, path: string): Promise<void> {
  if (await domainAt(executor, path)) throw invalidParameter('name', `there is a domain ${path} already`);
}

async function loadDomain(executor: Executor, uuid: string) {
  const { rows } = await listDomainRows(executor, { scope: { kind: 'everything' }, uuid }, everything);
  const [domain] = await domainEntities(executor, rows);
  if (!domain) throw entityNotFound('id', uuid);
  return domain;
}

async function note(
  executor: Executor,
  caller: Caller,
  event: {
    readonly type: 'DOMAIN.CREATE' | 'DOMAIN.UPDATE' | 'DOMAIN.DELETE';
    readonly description: string;
    readonly uuid: string;
  },
): Promise<void> {
  await recordEvent(executor, {
    type: event.type,
    description: event.description,
    userId: caller.userId,
    accountId: caller.accountId,
    resourceType: 'Domain',
    resourceUuid: event.uuid,
  });
}
