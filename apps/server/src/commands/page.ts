import { invalidParameter } from '@millrace/api';
import type { Executor } from '../store/database.ts';
import type { Page } from '../store/paging.ts';
import { readSetting } from '../store/settings.ts';

/**
 * The page a list call asks for. Without any, the first `default.page.size` rows; `pagesize=-1` means all rows.
 * @throws ApiError 431 for a page below 1 or a page size over the setting.
 */
export async function pageFrom(
  executor: Executor,
  params: { readonly page?: number | undefined; readonly pagesize?: number | undefined },
): Promise<Page> {
  const most = await readSetting(executor, 'default.page.size');
  const size = params.pagesize ?? most;
  if (size === -1) return { limit: undefined, offset: 0 };
  if (size < 1) throw invalidParameter('pagesize', 'must be 1 or more, or -1 for all rows');
  if (size > most) {
    throw invalidParameter('pagesize', `must not be over ${most}, the setting default.page.size`);
  }
  const page = params.page ?? 1;
  if (page < 1) throw invalidParameter('page', 'must be 1 or more');
  return { limit: size, offset: (page - 1) * size };
}

/** The rows of `id` and `ids` together; undefined when neither is given. */
export function idsFrom(params: {
  readonly id?: string | undefined;
  readonly ids?: readonly string[] | undefined;
}): readonly string[] | undefined {
  if (params.id !== undefined && params.ids !== undefined) {
    throw invalidParameter('ids', 'cannot be used together with id');
  }
  return params.id === undefined ? params.ids : [params.id];
}

/** The page of a list that is there whole, as `pageFrom` cuts those of the database. @throws ApiError 431 */
export async function pagedOf<T>(
  executor: Executor,
  all: readonly T[],
  params: { readonly page?: number | undefined; readonly pagesize?: number | undefined },
): Promise<{ list: T[]; count: number }> {
  const { limit, offset } = await pageFrom(executor, params);
  return { list: all.slice(offset, limit === undefined ? undefined : offset + limit), count: all.length };
}
