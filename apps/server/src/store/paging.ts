import { type SelectQueryBuilder, sql } from 'kysely';

/** A part of a list. `limit` undefined: everything from `offset` on. */
export interface Page {
  readonly limit: number | undefined;
  readonly offset: number;
}

export const everything: Page = { limit: undefined, offset: 0 };

/** Rows of one page, and how many there are on all pages. */
export async function pageOf<DB, TB extends keyof DB, O>(
  query: SelectQueryBuilder<DB, TB, O>,
  page: Page,
): Promise<{ rows: O[]; count: number }> {
  const total = await query
    .clearSelect()
    .clearOrderBy()
    .select(sql<number>`count(*)`.as('count'))
    .executeTakeFirstOrThrow();
  const { count } = total as { count: number };
  if (count === 0 || page.offset >= count) return { rows: [], count };
  const rest = page.offset === 0 ? query : query.offset(page.offset);
  const limited = page.limit === undefined ? rest : rest.limit(page.limit);
  return { rows: await limited.execute(), count };
}
