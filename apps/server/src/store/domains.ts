import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { Executor } from './database.ts';
import { containing, type OwnerScope, ownedBy } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';

export interface DomainFilter {
  readonly scope: OwnerScope;
  readonly uuid?: string | undefined;
  readonly name?: string | undefined;
  readonly level?: number | undefined;
  readonly keyword?: string | undefined;
  /** Domains below this path; with `recursive`, at any depth. */
  readonly below?: { readonly path: string; readonly level: number; readonly recursive: boolean };
}

export async function listDomainRows(executor: Executor, filter: DomainFilter, page: Page) {
  let query = executor
    .selectFrom('domain')
    .leftJoin('domain as above', 'above.id', 'domain.parent')
    .where('domain.removed', 'is', null);
  if (filter.scope.kind === 'domain') query = query.where(ownedBy(filter.scope));
  if (filter.uuid !== undefined) query = query.where('domain.uuid', '=', filter.uuid);
  if (filter.name !== undefined) query = query.where('domain.name', '=', filter.name);
  if (filter.level !== undefined) query = query.where('domain.level', '=', filter.level);
  if (filter.keyword !== undefined) query = query.where('domain.name', 'ilike', containing(filter.keyword));
  if (filter.below) {
    const { path, level, recursive } = filter.below;
    query = query.where(sql<boolean>`starts_with(${sql.ref('domain.path')}, ${path})`);
    query = query.where('domain.level', recursive ? '>' : '=', recursive ? level : level + 1);
  }
  return pageOf(
    query
      .selectAll('domain')
      .select(['above.uuid as parent_uuid', 'above.name as parent_name'])
      .select([
        sql<boolean>`exists (select 1 from domain as child where child.parent = domain.id and child.removed is null)`.as(
          'has_child',
        ),
      ])
      .orderBy('domain.path'),
    page,
  );
}

export type DomainRow = Awaited<ReturnType<typeof listDomainRows>>['rows'][number];

/** Nobody makes, renames or removes domains and accounts in it meanwhile. */
export async function lockDomain(executor: Executor, uuid: string) {
  return executor
    .selectFrom('domain')
    .selectAll()
    .where('uuid', '=', uuid)
    .where('removed', 'is', null)
    .forUpdate()
    .executeTakeFirst();
}

export async function domainAt(executor: Executor, path: string) {
  return executor
    .selectFrom('domain')
    .select(['id', 'uuid'])
    .where(sql<boolean>`lower(path) = ${path.toLowerCase()}`)
    .where('removed', 'is', null)
    .executeTakeFirst();
}

export async function insertDomain(
  executor: Executor,
  domain: { readonly name: string; readonly path: string; readonly parent: number; readonly level: number },
): Promise<string> {
  const uuid = randomUUID();
  await executor
    .insertInto('domain')
    .values({ uuid, ...domain })
    .execute();
  return uuid;
}

/** The name of a domain is part of the path of all below it. */
export async function renameDomain(
  executor: Executor,
  domain: { readonly id: number; readonly path: string },
  name: string,
  path: string,
): Promise<void> {
  await executor.updateTable('domain').set({ name }).where('id', '=', domain.id).execute();
  await executor
    .updateTable('domain')
    .set({ path: sql<string>`${path} || substr(path, ${domain.path.length + 1})` })
    .where(sql<boolean>`starts_with(path, ${domain.path})`)
    .where('removed', 'is', null)
    .execute();
}

/** Everything of a tree, the deepest first, locked. */
export async function domainTree(executor: Executor, path: string) {
  return executor
    .selectFrom('domain')
    .select(['id', 'uuid', 'name', 'path'])
    .where(sql<boolean>`starts_with(path, ${path})`)
    .where('removed', 'is', null)
    .orderBy('level', 'desc')
    .forUpdate()
    .execute();
}

export async function removeDomains(executor: Executor, ids: readonly number[]): Promise<void> {
  await executor.updateTable('domain').set({ removed: new Date() }).where('id', 'in', ids).execute();
}
