import { randomUUID } from 'node:crypto';
import { entityNotFound, invalidParameter, specs } from '@millrace/api';
import { displayableName } from '../domain/template-registration.ts';
import { recordEvent } from '../store/events.ts';
import { findOffering } from '../store/offering-list.ts';
import { implement } from './command.ts';
import { serviceOfferingEntity } from './responses/service-offering.ts';
import { tagList } from './storage-tags.ts';

const mostCpus = 256;
const mostMhz = 100_000;
const mostMemoryMiB = 16 * 1024 ** 2;
const leastMemoryMiB = 16;
const storageTypes = ['shared', 'local'] as const;

export const createServiceOffering = implement(
  specs.createServiceOffering,
  async ({ params, database, caller }) => {
    const storageType = storageTypes.find((type) => type === (params.storagetype ?? 'shared').toLowerCase());
    if (!storageType) throw invalidParameter('storagetype', `must be one of ${storageTypes.join(', ')}`);
    const values = {
      uuid: randomUUID(),
      name: displayableName('name', params.name),
      display_text: displayableName('displaytext', params.displaytext),
      cpu: within('cpunumber', params.cpunumber, 1, mostCpus),
      speed: within('cpuspeed', params.cpuspeed, 1, mostMhz),
      ram_size: within('memory', params.memory, leastMemoryMiB, mostMemoryMiB),
      storage_type: storageType,
      tags: tagList('tags', params.tags?.split(',') ?? []),
      host_tag: tagList('hosttags', params.hosttags?.split(',') ?? []),
    };
    return database.transaction().execute(async (trx) => {
      const row = await trx
        .insertInto('service_offering')
        .values(values)
        .returningAll()
        .executeTakeFirstOrThrow();
      await recordEvent(trx, {
        type: 'SERVICE.OFFERING.CREATE',
        description: `made service offering ${row.name}`,
        userId: caller.userId,
        accountId: caller.accountId,
        resourceType: 'ServiceOffering',
        resourceUuid: row.uuid,
      });
      return { object: serviceOfferingEntity(row) };
    });
  },
);

export const updateServiceOffering = implement(
  specs.updateServiceOffering,
  async ({ params, database, caller }) => {
    const { name, displaytext, hosttags, storagetags } = params;
    const changes = {
      ...(name === undefined ? {} : { name: displayableName('name', name) }),
      ...(displaytext === undefined ? {} : { display_text: displayableName('displaytext', displaytext) }),
      ...(hosttags === undefined ? {} : { host_tag: tagList('hosttags', hosttags.split(',')) }),
      ...(storagetags === undefined ? {} : { tags: tagList('storagetags', storagetags.split(',')) }),
    };
    return database.transaction().execute(async (trx) => {
      const offering = await findOffering(trx, params.id);
      if (!offering) throw entityNotFound('id', params.id);
      if (Object.keys(changes).length === 0) return { object: serviceOfferingEntity(offering) };
      const row = await trx
        .updateTable('service_offering')
        .set(changes)
        .where('id', '=', offering.id)
        .returningAll()
        .executeTakeFirstOrThrow();
      await recordEvent(trx, {
        type: 'SERVICE.OFFERING.EDIT',
        description: `changed service offering ${offering.name}`,
        userId: caller.userId,
        accountId: caller.accountId,
        resourceType: 'ServiceOffering',
        resourceUuid: row.uuid,
      });
      return { object: serviceOfferingEntity(row) };
    });
  },
);

export const deleteServiceOffering = implement(
  specs.deleteServiceOffering,
  async ({ params, database, caller }) =>
    database.transaction().execute(async (trx) => {
      const row = await trx
        .updateTable('service_offering')
        .set({ removed: new Date() })
        .where('uuid', '=', params.id)
        .where('removed', 'is', null)
        .returning(['name', 'uuid'])
        .executeTakeFirst();
      if (!row) throw entityNotFound('id', params.id);
      await recordEvent(trx, {
        type: 'SERVICE.OFFERING.DELETE',
        description: `removed service offering ${row.name}`,
        userId: caller.userId,
        accountId: caller.accountId,
        resourceType: 'ServiceOffering',
        resourceUuid: row.uuid,
      });
      return { success: true };
    }),
);

function within(param: string, value: number | undefined, least: number, most: number): number {
  if (value === undefined || value < least || value > most)
    throw invalidParameter(param, `must be from ${least} to ${most}`);
  return value;
}
