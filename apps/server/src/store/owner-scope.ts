import { type RawBuilder, sql } from 'kysely';

/** Whose rows a caller asks for and may see. Decided by `commands/scope.ts`, applied by every query of owned rows. */
export type OwnerScope =
  | { readonly kind: 'everything' }
  | { readonly kind: 'account'; readonly accountId: number }
  | { readonly kind: 'domain'; readonly path: string; readonly recursive: boolean };

/** The condition for a query that has `account` and `domain` among its tables. */
export function ownedBy(scope: OwnerScope): RawBuilder<boolean> {
  switch (scope.kind) {
    case 'everything':
      return sql<boolean>`true`;
    case 'account':
      return sql<boolean>`${sql.ref('account.id')} = ${scope.accountId}`;
    case 'domain':
      return scope.recursive
        ? sql<boolean>`starts_with(${sql.ref('domain.path')}, ${scope.path})`
        : sql<boolean>`${sql.ref('domain.path')} = ${scope.path}`;
  }
}

/** Case-insensitive substring search; `%` and `_` in the text mean themselves. */
export function containing(text: string): string {
  return `%${text.replaceAll(/[\\%_]/g, '\\$&')}%`;
}
