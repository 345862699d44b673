import { randomUUID } from 'node:crypto';
import { entityNotFound, invalidParameter, missingParameter, specs } from '@millrace/api';
import {
  certificateAlias,
  certificateFacts,
  sourceCertificate,
} from '../domain/direct-download-certificate.ts';
import { type CertificateRow, hostsOfZone, listCertificateRows } from '../store/certificates.ts';
import type { Executor } from '../store/database.ts';
import { type EventType, recordEvent } from '../store/events.ts';
import { everything } from '../store/paging.ts';
import { findZone } from '../store/zone-list.ts';
import { type Caller, implement } from './command.ts';
import { pageFrom } from './page.ts';

/**
 * Hosts keep no certificates: each request to fetch brings those of its zone (docs/decisions/0011). So they hold at once, for
 * hosts that join later too, and a revoked one is trusted by nobody any more.
 */
const trusted = { status: 'UPLOADED', details: 'comes with every request to fetch' } as const;

export const uploadTemplateDirectDownloadCertificate = implement(
  specs.uploadTemplateDirectDownloadCertificate,
  async ({ params, database, caller }) => {
    demandKvm(params.hypervisor);
    const alias = certificateAlias(params.name);
    const certificate = sourceCertificate(params.certificate, Date.now());
    const row = await database.transaction().execute(async (trx) => {
      const zone = await findZone(trx, params.zoneid);
      if (!zone) throw entityNotFound('zoneid', params.zoneid);
      const uuid = randomUUID();
      const inserted = await trx
        .insertInto('direct_download_certificate')
        .values({ uuid, alias, certificate, zone_id: zone.id })
        .onConflict((conflict) =>
          conflict.columns(['zone_id', 'alias']).where('removed', 'is', null).doNothing(),
        )
        .returning('id')
        .executeTakeFirst();
      if (!inserted)
        throw invalidParameter(
          'name',
          `zone ${zone.name} has a certificate ${alias} already: revoke it first`,
        );
      await recordCertificateEvent(
        trx,
        caller,
        'TEMPLATE.DIRECT.DOWNLOAD.CERTIFICATE.UPLOAD',
        uuid,
        `certificate ${alias} is trusted in zone ${zone.name}`,
      );
      return findCertificate(trx, { uuid });
    });
    return { object: await certificateEntity(database, row!, true) };
  },
);

export const listTemplateDirectDownloadCertificates = implement(
  specs.listTemplateDirectDownloadCertificates,
  async ({ params, database }) => {
    const filter = { uuid: params.id, zoneUuid: params.zoneid, keyword: params.keyword };
    const { rows, count } = await listCertificateRows(database, filter, await pageFrom(database, params));
    const list = [];
    for (const row of rows) list.push(await certificateEntity(database, row, params.listhosts ?? false));
    return { list, count };
  },
);

export const revokeTemplateDirectDownloadCertificate = implement(
  specs.revokeTemplateDirectDownloadCertificate,
  async ({ params, database, caller }) => {
    if (params.hypervisor !== undefined) demandKvm(params.hypervisor);
    const { id, name, zoneid } = params;
    if (id === undefined && name === undefined) {
      throw missingParameter('revokeTemplateDirectDownloadCertificate', 'id');
    }
    const hosts = await database.transaction().execute(async (trx) => {
      const row = await findCertificate(trx, {
        zoneUuid: zoneid,
        ...(id === undefined ? { alias: name } : { uuid: id }),
      });
      if (!row) throw entityNotFound(id === undefined ? 'name' : 'id', id ?? name ?? '');
      await trx
        .updateTable('direct_download_certificate')
        .set({ removed: new Date() })
        .where('id', '=', row.id)
        .execute();
      await recordCertificateEvent(
        trx,
        caller,
        'TEMPLATE.DIRECT.DOWNLOAD.CERTIFICATE.REVOKE',
        row.uuid,
        `certificate ${row.alias} is trusted no more in zone ${row.zone_name}`,
      );
      return hostsOfZone(trx, row.zone_id);
    });
    const list = hosts.map(({ uuid, name: hostname }) => ({ hostid: uuid, hostname, status: 'REVOKED' }));
    return { list, count: list.length };
  },
);

export const provisionTemplateDirectDownloadCertificate = implement(
  specs.provisionTemplateDirectDownloadCertificate,
  async ({ params, database }) => {
    const row = await findCertificate(database, { uuid: params.id });
    if (!row) throw entityNotFound('id', params.id);
    const host = (await hostsOfZone(database, row.zone_id)).find(({ uuid }) => uuid === params.hostid);
    if (!host) throw entityNotFound('hostid', params.hostid);
    return { object: { hostid: host.uuid, hostname: host.name, ...trusted } };
  },
);

function demandKvm(hypervisor: string): void {
  if (hypervisor.toLowerCase() !== 'kvm') throw invalidParameter('hypervisor', 'must be KVM');
}

async function findCertificate(
  executor: Executor,
  filter: Parameters<typeof listCertificateRows>[1],
): Promise<CertificateRow | undefined> {
  const { rows } = await listCertificateRows(executor, filter, everything);
  return rows[0];
}

async function certificateEntity(executor: Executor, row: CertificateRow, withHosts: boolean) {
  const hosts = withHosts ? await hostsOfZone(executor, row.zone_id) : undefined;
  return {
    id: row.uuid,
    alias: row.alias,
    zoneid: row.zone_uuid,
    zonename: row.zone_name,
    hypervisor: 'KVM',
    ...certificateFacts(row.certificate),
    ...(hosts
      ? { hostsmap: hosts.map(({ uuid, name }) => ({ hostid: uuid, hostname: name, ...trusted })) }
      : {}),
  };
}

async function recordCertificateEvent(
  executor: Executor,
  caller: Caller,
  type: EventType,
  uuid: string,
  description: string,
): Promise<void> {
  await recordEvent(executor, {
    type,
    description,
    userId: caller.userId,
    accountId: caller.accountId,
    resourceType: 'Certificate',
    resourceUuid: uuid,
  });
}
