import { randomUUID } from 'node:crypto';
import type { Executor } from './database.ts';
import { type OwnerScope, ownedBy } from './owner-scope.ts';
import type { Row } from './schema.ts';

/** 3 is the CD-ROM drive's, as in CloudStack; 0 the root volume's. */
const devicePositions = [1, 2, ...Array.from({ length: 22 }, (_, index) => index + 4)];

/** Locks a volume the caller may use until the transaction ends. */
export async function lockVolume(
  executor: Executor,
  uuid: string,
  scope: OwnerScope,
): Promise<Row<'volumes'> | undefined> {
  return executor
    .selectFrom('volumes')
    .innerJoin('account', 'account.id', 'volumes.account_id')
    .innerJoin('domain', 'domain.id', 'account.domain_id')
    .where('volumes.uuid', '=', uuid)
    .where('volumes.removed', 'is', null)
    .where(ownedBy(scope))
    .selectAll('volumes')
    .forUpdate('volumes')
    .executeTakeFirst();
}

/** The data disks of an instance, by their positions. */
export async function dataVolumesOf(executor: Executor, vmId: number): Promise<Row<'volumes'>[]> {
  return executor
    .selectFrom('volumes')
    .selectAll()
    .where('instance_id', '=', vmId)
    .where('volume_type', '=', 'DATADISK')
    .where('removed', 'is', null)
    .orderBy('device_id')
    .execute();
}

/** Positions that are free, the first one first. */
export async function freePositions(executor: Executor, vmId: number): Promise<number[]> {
  const taken = new Set((await dataVolumesOf(executor, vmId)).map((volume) => volume.device_id));
  return devicePositions.filter((position) => !taken.has(position));
}

/** Writes a data disk that has no file yet. @returns the row */
export async function insertDataVolume(
  executor: Executor,
  volume: {
    readonly name: string | undefined;
    readonly sizeBytes: number;
    readonly offeringId: number;
    readonly zoneId: number;
    readonly accountId: number;
    readonly attachTo?: { readonly vmId: number; readonly position: number };
  },
): Promise<Row<'volumes'>> {
  const uuid = randomUUID();
  return executor
    .insertInto('volumes')
    .values({
      uuid,
      name: volume.name ?? `DATA-${uuid.slice(0, 8)}`,
      volume_type: 'DATADISK',
      state: 'Allocated',
      size: volume.sizeBytes,
      disk_offering_id: volume.offeringId,
      data_center_id: volume.zoneId,
      account_id: volume.accountId,
      instance_id: volume.attachTo?.vmId ?? null,
      device_id: volume.attachTo?.position ?? 0,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}
