import { entityNotFound, invalidParameter } from '@millrace/api';
import type { Executor } from '../store/database.ts';
import type { OwnerScope } from '../store/owner-scope.ts';
import type { Row } from '../store/schema.ts';
import { readSpool, type SpoolKey, type SpoolRow } from '../store/template-spool.ts';
import { lockTemplate } from '../store/templates.ts';

export interface FoundCopy {
  readonly template: Row<'vm_template'>;
  readonly place: { readonly id: number; readonly name: string };
  readonly key: SpoolKey;
  readonly copy: SpoolRow;
}

/**
 * The copy of a template that the caller may change, on a storage pool, or, when `places` says so, on an image store. The
 * template is locked.
 * @throws ApiError 431 naming the parameter
 */
export async function findCopy(
  trx: Executor,
  params: { readonly templateid: string; readonly storageid: string },
  scope: OwnerScope,
  places: 'storage_pool' | 'data_store',
): Promise<FoundCopy> {
  const template = await lockTemplate(trx, params.templateid, scope);
  if (!template) throw entityNotFound('templateid', params.templateid);
  const place = await trx
    .selectFrom(places)
    .select(['id', 'name'])
    .where('uuid', '=', params.storageid)
    .where('removed', 'is', null)
    .executeTakeFirst();
  if (!place) throw entityNotFound('storageid', params.storageid);
  const key = { poolId: place.id, templateId: template.id };
  const copy = await readSpool(trx, key);
  if (!copy) throw invalidParameter('storageid', `${place.name} has no copy of template ${template.name}`);
  return { template, place, key, copy };
}
