import { randomUUID } from 'node:crypto';
import { entityNotFound, formatDate, invalidParameter, specs } from '@millrace/api';
import { displayableName } from '../domain/template-registration.ts';
import { listDiskOfferingRows } from '../store/disk-offerings.ts';
import type { Row } from '../store/schema.ts';
import { implement } from './command.ts';
import { pageFrom } from './page.ts';
import { gigabytes } from './root-disk-size.ts';

export const listDiskOfferings = implement(specs.listDiskOfferings, async ({ params, database }) => {
  const filter = { uuid: params.id, name: params.name, keyword: params.keyword };
  const { rows, count } = await listDiskOfferingRows(database, filter, await pageFrom(database, params));
  return { list: rows.map(offeringEntity), count };
});

export const createDiskOffering = implement(specs.createDiskOffering, async ({ params, database }) => {
  const customized = params.customized ?? params.disksize === undefined;
  if (customized === (params.disksize !== undefined)) {
    throw invalidParameter('disksize', 'must be given, unless customized is true: then it must not');
  }
  const row = await database
    .insertInto('disk_offering')
    .values({
      uuid: randomUUID(),
      name: displayableName('name', params.name),
      display_text: displayableName('displaytext', params.displaytext),
      disk_size: params.disksize === undefined ? null : gigabytes('disksize', params.disksize),
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  return { object: offeringEntity(row) };
});

export const updateDiskOffering = implement(specs.updateDiskOffering, async ({ params, database }) => {
  const changes = {
    ...(params.name === undefined ? {} : { name: displayableName('name', params.name) }),
    ...(params.displaytext === undefined
      ? {}
      : { display_text: displayableName('displaytext', params.displaytext) }),
    ...(params.sortkey === undefined ? {} : { sort_key: params.sortkey }),
  };
  if (Object.keys(changes).length === 0)
    throw invalidParameter('name', 'name, displaytext or sortkey must say what shall change');
  const row = await database
    .updateTable('disk_offering')
    .set(changes)
    .where('uuid', '=', params.id)
    .where('removed', 'is', null)
    .returningAll()
    .executeTakeFirst();
  if (!row) throw entityNotFound('id', params.id);
  return { object: offeringEntity(row) };
});

export const deleteDiskOffering = implement(specs.deleteDiskOffering, async ({ params, database }) => {
  const { numUpdatedRows } = await database
    .updateTable('disk_offering')
    .set({ removed: new Date() })
    .where('uuid', '=', params.id)
    .where('removed', 'is', null)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) throw entityNotFound('id', params.id);
  return { success: true };
});

function offeringEntity(row: Row<'disk_offering'>) {
  return {
    id: row.uuid,
    name: row.name,
    displaytext: row.display_text,
    disksize: row.disk_size === null ? 0 : row.disk_size / 1024 ** 3,
    iscustomized: row.disk_size === null,
    iscustomizediops: false,
    created: formatDate(row.created),
    storagetype: 'shared',
    provisioningtype: 'thin',
    cacheMode: 'none',
    displayoffering: true,
    disksizestrictness: false,
    encrypt: false,
    hasannotations: false,
  };
}
