import { sql } from 'kysely';
import type { Executor } from './database.ts';
import { containing } from './owner-scope.ts';
import { type Page, pageOf } from './paging.ts';

/** The certificates that sources may be signed by, beside the system's, in any of these zones: PEM. */
export async function trustedInZones(executor: Executor, zoneIds: readonly number[]): Promise<string[]> {
  const rows = await executor
    .selectFrom('direct_download_certificate')
    .select('certificate')
    .where('zone_id', '=', sql<number>`any(${zoneIds})`)
    .where('removed', 'is', null)
    .orderBy('id')
    .execute();
  return [...new Set(rows.map(({ certificate }) => certificate))];
}

/** The same in the zone of a storage pool. */
export async function trustedAtPool(executor: Executor, poolId: number): Promise<string[]> {
  const { data_center_id: zoneId } = await executor
    .selectFrom('data_store')
    .select('data_center_id')
    .where('id', '=', poolId)
    .executeTakeFirstOrThrow();
  return trustedInZones(executor, [zoneId]);
}

export interface CertificateFilter {
  readonly uuid?: string | undefined;
  readonly alias?: string | undefined;
  readonly zoneUuid?: string | undefined;
  readonly keyword?: string | undefined;
}

export async function listCertificateRows(executor: Executor, filter: CertificateFilter, page: Page) {
  let query = executor
    .selectFrom('direct_download_certificate')
    .innerJoin('data_center', 'data_center.id', 'direct_download_certificate.zone_id')
    .where('direct_download_certificate.removed', 'is', null);
  const { uuid, alias, zoneUuid, keyword } = filter;
  if (uuid !== undefined) query = query.where('direct_download_certificate.uuid', '=', uuid);
  if (alias !== undefined) query = query.where('direct_download_certificate.alias', '=', alias);
  if (zoneUuid !== undefined) query = query.where('data_center.uuid', '=', zoneUuid);
  if (keyword !== undefined)
    query = query.where('direct_download_certificate.alias', 'ilike', containing(keyword));
  const selected = query
    .selectAll('direct_download_certificate')
    .select(['data_center.uuid as zone_uuid', 'data_center.name as zone_name'])
    .orderBy('direct_download_certificate.id');
  return pageOf(selected, page);
}

export type CertificateRow = Awaited<ReturnType<typeof listCertificateRows>>['rows'][number];

/** The hosts of a zone, with whether they can fetch now. */
export async function hostsOfZone(executor: Executor, zoneId: number) {
  return executor
    .selectFrom('host')
    .select(['uuid', 'name', 'status'])
    .where('data_center_id', '=', zoneId)
    .where('removed', 'is', null)
    .orderBy('id')
    .execute();
}
