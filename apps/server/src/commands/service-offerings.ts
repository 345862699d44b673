import { randomUUID } from 'node:crypto';
import { entityNotFound, invalidParameter, specs } from '@millrace/api';
import { displayableName } from '../domain/template-registration.ts';
import type { Executor } from '../store/database.ts';
import { type EventType, recordEvent } from '../store/events.ts';
import { findOffering } from '../store/offering-list.ts';
import { type Caller, implement } from './command.ts';
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
      ha_enabled: params.offerha ?? false,
    };
    return database.transaction().execute(async (trx) => {
      const row = await trx
        .insertInto('service_offering')
        .values(values)
        .returningAll()
        .executeTakeFirstOrThrow();
      await noteChange(trx, caller, 'SERVICE.OFFERING.CREATE', {
        done: 'made',
        name: row.name,
        uuid: row.uuid,
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
      await noteChange(trx, caller, 'SERVICE.OFFERING.EDIT', {
        done: 'changed',
        name: offering.name,
        uuid: row.uuid,
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
      await noteChange(trx, caller, 'SERVICE.OFFERING.DELETE', {
        done: 'removed',
        name: row.name,
        uuid: row.uuid,
      });
      return { success: true };
    }),
);

async function noteChange(
  trx: Executor,
  { userId, accountId }: Caller,
  type: Extract<EventType, `SERVICE.OFFERING.${string}`>,
  { done, name, uuid }: { readonly done: string; readonly name: string; readonly uuid: string },
): Promise<void> {
  const description = `${done} service offering ${name}`;
  const resource = { resourceType: 'ServiceOffering', resourceUuid: uuid };
  await recordEvent(trx, { type, description, userId, accountId, ...resource });
}

function within(param: string, value: number | undefined, least: number, most: number): number {
  if (value === undefined || value < least || value > most)
    throw invalidParameter(param, `must be from ${least} to ${most}`);
  return value;
}
