import { ApiError, entityNotFound, invalidParameter, missingParameter, specs } from '@millrace/api';
import { displayableName } from '../domain/template-registration.ts';
import { dataVolumesOf, freePositions, insertDataVolume, lockVolume } from '../store/data-volumes.ts';
import type { Executor } from '../store/database.ts';
import { findDiskOffering } from '../store/disk-offerings.ts';
import { recordEvent } from '../store/events.ts';
import type { Row } from '../store/schema.ts';
import { lockVirtualMachine, pendingJobOf } from '../store/virtual-machines.ts';
import { findZone } from '../store/zone-list.ts';
import { type Caller, implement } from './command.ts';
import { demandResources, gibibytes } from './demand-resources.ts';
import { demandState, lockIdleVm } from './request-vm-job.ts';
import { gigabytes } from './root-disk-size.ts';
import { ownerOf, reachOf } from './scope.ts';

export const createVolume = implement(specs.createVolume, async ({ params, database, jobs, caller }) =>
  database.transaction().execute(async (trx) => {
    if (params.diskofferingid === undefined) throw missingParameter('createVolume', 'diskofferingid');
    const { offeringId, sizeBytes } = await dataDiskSize(trx, params.diskofferingid, params.size);
    const owner = await ownerOf(trx, caller, params);
    const place = await placeFor(trx, params, caller);
    const accountId = place.vm?.account_id ?? owner.accountId;
    await demandResources(trx, accountId, { volume: 1, primary_storage: gibibytes(sizeBytes) });
    const volume = await insertDataVolume(trx, {
      name: params.name === undefined ? undefined : displayableName('name', params.name),
      sizeBytes,
      offeringId,
      zoneId: place.zoneId,
      accountId,
    });
    const request = {
      userId: caller.userId,
      accountId: volume.account_id,
      instanceType: 'Volume',
      instanceUuid: volume.uuid,
    };
    const jobId = place.vm
      ? await jobs.enqueue(trx, {
          ...request,
          command: 'attachVolume',
          parameters: {
            volumeId: volume.id,
            vmId: place.vm.id,
            position: await freePosition(trx, place.vm, undefined),
          },
        })
      : await jobs.enqueue(trx, { ...request, command: 'createVolume', parameters: { volumeId: volume.id } });
    return { jobId, entityId: volume.uuid };
  }),
);

export const attachVolume = implement(specs.attachVolume, async ({ params, database, jobs, caller }) => {
  const jobId = await database.transaction().execute(async (trx) => {
    const vm = await lockIdleVm(trx, caller, params.virtualmachineid, 'virtualmachineid');
    demandState('attachVolume', vm);
    const volume = await lockIdleVolume(trx, caller, params.id);
    if (volume.volume_type !== 'DATADISK')
      throw invalidParameter('id', `volume ${volume.name} is a root volume`);
    if (volume.instance_id !== null) {
      throw invalidParameter('id', `volume ${volume.name} is attached already: detach it first`);
    }
    if (volume.account_id !== vm.account_id) {
      throw invalidParameter('id', 'the volume and the instance belong to different accounts');
    }
    if (volume.data_center_id !== vm.data_center_id) {
      throw invalidParameter('id', 'the volume and the instance are in different zones');
    }
    return jobs.enqueue(trx, {
      command: 'attachVolume',
      parameters: {
        volumeId: volume.id,
        vmId: vm.id,
        position: await freePosition(trx, vm, params.deviceid),
      },
      userId: caller.userId,
      accountId: vm.account_id,
      // the instance is what nothing else may happen to meanwhile
      instanceType: 'VirtualMachine',
      instanceUuid: vm.uuid,
    });
  });
  return { jobId };
});

export const detachVolume = implement(specs.detachVolume, async ({ params, database, jobs, caller }) => {
  const jobId = await database.transaction().execute(async (trx) => {
    const volume = await attachedVolume(trx, params, caller);
    const vm = await lockIdleVm(trx, caller, await vmUuidOf(trx, volume), 'virtualmachineid');
    demandState('detachVolume', vm);
    return jobs.enqueue(trx, {
      command: 'detachVolume',
      parameters: { volumeId: volume.id, vmId: vm.id },
      userId: caller.userId,
      accountId: vm.account_id,
      instanceType: 'VirtualMachine',
      instanceUuid: vm.uuid,
    });
  });
  return { jobId };
});

export const resizeVolume = implement(specs.resizeVolume, async ({ params, database, jobs, caller }) => {
  const jobId = await database.transaction().execute(async (trx) => {
    const volume = await lockIdleVolume(trx, caller, params.id);
    const sizeBytes = await newSize(trx, params, volume);
    if (sizeBytes < volume.size) {
      throw invalidParameter(
        'size',
        `volume ${volume.name} has ${volume.size / 1024 ** 3} GB: it can only be grown`,
      );
    }
    const vm =
      volume.instance_id === null
        ? undefined
        : await lockIdleVm(trx, caller, await vmUuidOf(trx, volume), 'virtualmachineid');
    if (vm) demandState('resizeVolume', vm);
    const growth = gibibytes(sizeBytes) - gibibytes(volume.size);
    await demandResources(trx, volume.account_id, { primary_storage: growth });
    return jobs.enqueue(trx, {
      command: 'resizeVolume',
      parameters: { volumeId: volume.id, sizeBytes, ...(vm ? { vmId: vm.id } : {}) },
      userId: caller.userId,
      accountId: volume.account_id,
      instanceType: vm ? 'VirtualMachine' : 'Volume',
      instanceUuid: vm ? vm.uuid : volume.uuid,
    });
  });
  return { jobId };
});

export const deleteVolume = implement(specs.deleteVolume, async ({ params, database, caller }) => {
  await database.transaction().execute(async (trx) => {
    const volume = await lockIdleVolume(trx, caller, params.id);
    if (volume.volume_type !== 'DATADISK') {
      throw invalidParameter('id', `volume ${volume.name} is a root volume: it goes with its instance`);
    }
    if (volume.instance_id !== null) {
      throw new ApiError('RESOURCE_IN_USE_ERROR', `volume ${volume.name} is attached: detach it first`);
    }
    // its file goes with the next round of the periodic cleaning
    const state = volume.path === null ? 'Expunged' : 'Destroy';
    await trx
      .updateTable('volumes')
      .set({ state, removed: new Date() })
      .where('id', '=', volume.id)
      .execute();
    await recordEvent(trx, {
      type: 'VOLUME.DELETE',
      description: `deleted volume ${volume.name}`,
      userId: caller.userId,
      accountId: volume.account_id,
      resourceType: 'Volume',
      resourceUuid: volume.uuid,
    });
  });
  return { success: true };
});

/** The size of a data disk, from its offering or from whoever makes it. @throws ApiError 431 */
export async function dataDiskSize(
  executor: Executor,
  offeringUuid: string,
  wanted: number | undefined,
): Promise<{ readonly offeringId: number; readonly sizeBytes: number }> {
  const offering = await findDiskOffering(executor, offeringUuid);
  if (!offering) throw entityNotFound('diskofferingid', offeringUuid);
  if (offering.disk_size !== null) {
    if (wanted === undefined) return { offeringId: offering.id, sizeBytes: offering.disk_size };
    throw invalidParameter('size', `cannot be used with disk offering ${offering.name}, which says the size`);
  }
  if (wanted === undefined) {
    throw invalidParameter('size', `must be given: disk offering ${offering.name} leaves it open`);
  }
  return { offeringId: offering.id, sizeBytes: gigabytes('size', wanted) };
}

async function placeFor(
  trx: Executor,
  params: { readonly zoneid?: string | undefined; readonly virtualmachineid?: string | undefined },
  caller: Caller,
): Promise<{ readonly zoneId: number; readonly vm: Row<'vm_instance'> | undefined }> {
  if (params.virtualmachineid !== undefined) {
    const vm = await lockIdleVm(trx, caller, params.virtualmachineid, 'virtualmachineid');
    demandState('attachVolume', vm);
    return { zoneId: vm.data_center_id, vm };
  }
  if (params.zoneid === undefined) throw missingParameter('createVolume', 'zoneid');
  const zone = await findZone(trx, params.zoneid);
  if (!zone) throw entityNotFound('zoneid', params.zoneid);
  return { zoneId: zone.id, vm: undefined };
}

async function freePosition(
  trx: Executor,
  vm: Row<'vm_instance'>,
  wanted: number | undefined,
): Promise<number> {
  const free = await freePositions(trx, vm.id);
  const position = wanted === undefined ? free[0] : free.find((candidate) => candidate === wanted);
  if (position !== undefined) return position;
  throw wanted === undefined
    ? new ApiError('PARAM_ERROR', `instance ${vm.name} has as many disks as it can have`)
    : invalidParameter('deviceid', `${wanted} is taken, or is none: free are ${free.join(', ')}`);
}

async function lockIdleVolume(trx: Executor, caller: Caller, uuid: string): Promise<Row<'volumes'>> {
  const volume = await lockVolume(trx, uuid, reachOf(caller));
  if (!volume) throw entityNotFound('id', uuid);
  const job = await pendingJobOf(trx, volume.uuid);
  if (!job) return volume;
  throw new ApiError(
    'RESOURCE_IN_USE_ERROR',
    `volume ${volume.name} is busy: ${job.job_cmd} is running as job ${job.uuid}`,
  );
}

async function attachedVolume(
  trx: Executor,
  params: {
    readonly id?: string | undefined;
    readonly virtualmachineid?: string | undefined;
    readonly deviceid?: number | undefined;
  },
  caller: Caller,
): Promise<Row<'volumes'>> {
  if (params.id !== undefined) {
    const volume = await lockIdleVolume(trx, caller, params.id);
    if (volume.volume_type !== 'DATADISK')
      throw invalidParameter('id', `volume ${volume.name} is a root volume`);
    if (volume.instance_id === null)
      throw invalidParameter('id', `volume ${volume.name} is attached to nothing`);
    return volume;
  }
  if (params.virtualmachineid === undefined || params.deviceid === undefined) {
    throw missingParameter('detachVolume', 'id');
  }
  const vm = await lockVirtualMachine(trx, params.virtualmachineid, reachOf(caller));
  if (!vm) throw entityNotFound('virtualmachineid', params.virtualmachineid);
  const volume = (await dataVolumesOf(trx, vm.id)).find((row) => row.device_id === params.deviceid);
  if (volume) return volume;
  throw invalidParameter('deviceid', `instance ${vm.name} has no data disk at ${params.deviceid}`);
}

async function vmUuidOf(trx: Executor, volume: Row<'volumes'>): Promise<string> {
  const { uuid } = await trx
    .selectFrom('vm_instance')
    .select('uuid')
    .where('id', '=', volume.instance_id)
    .executeTakeFirstOrThrow();
  return uuid;
}

async function newSize(
  trx: Executor,
  params: { readonly size?: number | undefined; readonly diskofferingid?: string | undefined },
  volume: Row<'volumes'>,
): Promise<number> {
  if (params.diskofferingid === undefined) {
    if (params.size === undefined) throw missingParameter('resizeVolume', 'size');
    return gigabytes('size', params.size);
  }
  if (volume.volume_type !== 'DATADISK') throw invalidParameter('diskofferingid', 'is for data disks');
  const { offeringId, sizeBytes } = await dataDiskSize(trx, params.diskofferingid, params.size);
  await trx
    .updateTable('volumes')
    .set({ disk_offering_id: offeringId })
    .where('id', '=', volume.id)
    .execute();
  return sizeBytes;
}
