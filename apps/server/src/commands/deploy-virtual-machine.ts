import { randomUUID } from 'node:crypto';
import { entityNotFound, invalidParameter, type ParamsOf, specs } from '@millrace/api';
import { demandHostName } from '../domain/addresses.ts';
import type { Amounts } from '../domain/resource-types.ts';
import { displayableName } from '../domain/template-registration.ts';
import { insertDataVolume } from '../store/data-volumes.ts';
import type { Executor } from '../store/database.ts';
import { recordEvent } from '../store/events.ts';
import { renewPassword } from '../store/guest-password.ts';
import { isHostNameTaken } from '../store/network-list.ts';
import { findOffering } from '../store/offering-list.ts';
import { copyTags } from '../store/resource-tags.ts';
import type { Row, SshKey } from '../store/schema.ts';
import { readSetting } from '../store/settings.ts';
import { usableTemplate } from '../store/templates.ts';
import { insertVirtualMachine } from '../store/virtual-machines.ts';
import { findZone } from '../store/zone-list.ts';
import { type Caller, implement } from './command.ts';
import { dataDiskSize } from './data-volumes.ts';
import { demandReady } from './demand-ready.ts';
import { demandResources, gibibytes } from './demand-resources.ts';
import { hostIdOf } from './find-host.ts';
import { keysNamed, userDataColumns } from './guest-settings.ts';
import { type Card, cardsOf, insertCards } from './network-cards.ts';
import { rootDiskBytes } from './root-disk-size.ts';
import { ownerOf, reachOf } from './scope.ts';

type Params = ParamsOf<(typeof specs.deployVirtualMachine)['params']>;

export const deployVirtualMachine = implement(
  specs.deployVirtualMachine,
  async ({ params, database, jobs, caller }) => {
    const names = namesOf(params);
    // the instance, everything it reserves, and the job are there together or not at all
    return database.transaction().execute(async (trx) => {
      const plan = await planOf(trx, params, caller);
      const networkIds = plan.cards.map(({ network }) => network.id);
      if (await isHostNameTaken(trx, networkIds, names.name)) {
        throw invalidParameter('name', `the network has an instance ${names.name} already`);
      }
      await demandResources(trx, plan.accountId, plan.resources);
      const startVm = params.startvm ?? true;
      const vm = {
        uuid: names.uuid,
        name: names.name,
        display_name: names.displayName,
        state: startVm ? 'Starting' : 'Stopped',
        vm_template_id: plan.template.id,
        iso_id: isIso(plan.template) ? plan.template.id : null,
        guest_os_id: plan.template.guest_os_id,
        data_center_id: plan.zoneId,
        account_id: plan.accountId,
        user_id: caller.userId,
        service_offering_id: plan.offeringId,
        ha_enabled: plan.haEnabled,
        ...plan.userData,
        ssh_keys: JSON.stringify(plan.sshKeys),
      };
      const vmId = await insertVirtualMachine(trx, vm, await readSetting(trx, 'instance.name'));
      await renewPassword(trx, vmId, plan.template);
      await reserve(trx, vmId, plan);
      if (params.copyimagetags)
        await copyTags(trx, plan.template.uuid, {
          type: 'UserVm',
          uuid: names.uuid,
          accountId: plan.accountId,
        });
      const jobId = await jobs.enqueue(trx, {
        command: 'deployVirtualMachine',
        parameters: {
          vmId,
          startVm,
          ...(plan.rootDiskSizeBytes === undefined ? {} : { rootDiskSizeBytes: plan.rootDiskSizeBytes }),
          ...(plan.hostId === undefined ? {} : { hostId: plan.hostId }),
        },
        userId: caller.userId,
        accountId: plan.accountId,
        instanceType: 'VirtualMachine',
        instanceUuid: names.uuid,
      });
      await recordEvent(trx, {
        type: 'VM.CREATE',
        state: 'Scheduled',
        description: `deploying instance ${names.name} from ${isIso(plan.template) ? 'ISO' : 'template'} ${plan.template.name}`,
        userId: caller.userId,
        accountId: plan.accountId,
        resourceType: 'VirtualMachine',
        resourceUuid: names.uuid,
        jobUuid: jobId,
      });
      return { jobId, entityId: names.uuid };
    });
  },
);

function namesOf(params: Params) {
  const uuid = randomUUID();
  const name = params.name ?? `VM-${uuid}`;
  demandHostName('name', name);
  const displayName =
    params.displayname === undefined ? name : displayableName('displayname', params.displayname);
  return { uuid, name, displayName };
}

interface Plan {
  readonly zoneId: number;
  readonly template: Row<'vm_template'>;
  readonly offeringId: number;
  readonly haEnabled: boolean;
  readonly accountId: number;
  readonly resources: Amounts;
  readonly cards: readonly Card[];
  readonly rootDiskSizeBytes: number | undefined;
  readonly hostId: number | undefined;
  readonly dataDisk: { readonly offeringId: number; readonly sizeBytes: number } | undefined;
  readonly userData: Awaited<ReturnType<typeof userDataColumns>>;
  readonly sshKeys: readonly SshKey[];
}

/** Finds everything the parameters name, and refuses what does not fit together. */
async function planOf(executor: Executor, params: Params, caller: Caller): Promise<Plan> {
  if (params.hypervisor !== undefined && params.hypervisor.toLowerCase() !== 'kvm') {
    throw invalidParameter('hypervisor', 'must be KVM');
  }
  const zone = await findZone(executor, params.zoneid);
  if (!zone) throw entityNotFound('zoneid', params.zoneid);
  if (zone.allocation_state !== 'Enabled' && caller.role !== 'admin') {
    throw invalidParameter('zoneid', `zone ${zone.name} is disabled`);
  }
  const offering = await findOffering(executor, params.serviceofferingid);
  if (!offering) throw entityNotFound('serviceofferingid', params.serviceofferingid);
  const template = await usableTemplate(executor, {
    uuid: params.templateid,
    zoneId: zone.id,
    scope: reachOf(caller),
  });
  if (!template) throw entityNotFound('templateid', params.templateid);
  if (template.zone_id === null) {
    throw invalidParameter('templateid', `template ${template.name} is not registered for zone ${zone.name}`);
  }
  await demandReady(executor, template, zone.id, 'templateid');
  const owner = await ownerOf(executor, caller, params);
  const rootDiskSizeBytes = rootDiskSize(params, template);
  const dataDisk =
    params.diskofferingid === undefined
      ? undefined
      : await dataDiskSize(executor, params.diskofferingid, params.size);
  return {
    zoneId: zone.id,
    template,
    offeringId: offering.id,
    haEnabled: offering.ha_enabled,
    accountId: owner.accountId,
    resources: {
      user_vm: 1,
      cpu: offering.cpu,
      memory: offering.ram_size,
      volume: dataDisk ? 2 : 1,
      primary_storage: gibibytes((rootDiskSizeBytes ?? template.size ?? 0) + (dataDisk?.sizeBytes ?? 0)),
    },
    rootDiskSizeBytes,
    hostId: params.hostid === undefined ? undefined : await hostIdOf(executor, params.hostid, zone.id),
    cards: await cardsOf(executor, { zoneId: zone.id, accountId: owner.accountId }, params),
    dataDisk,
    userData: await userDataColumns(executor, caller, params, template),
    sshKeys: await keysNamed(executor, owner.accountId, params),
  };
}

function isIso(template: Pick<Row<'vm_template'>, 'format'>): boolean {
  return template.format === 'ISO';
}

function rootDiskSize(params: Params, template: Row<'vm_template'>): number | undefined {
  const gigabytes = rootDiskGigabytes(params);
  if (!isIso(template)) {
    if (params.size === undefined || params.diskofferingid !== undefined)
      return rootDiskBytes(gigabytes, template.size);
    throw invalidParameter(
      'size',
      'needs diskofferingid: it is the size of a data disk; rootdisksize is that of the root volume',
    );
  }
  if (!template.bootable) {
    throw invalidParameter('templateid', `ISO ${template.name} is registered as one that nothing boots from`);
  }
  // CloudStack's clients say the size of the root volume of an ISO's instance by the offering of a disk
  const ofDisk = params.diskofferingid === undefined ? params.size : undefined;
  const bytes = rootDiskBytes(gigabytes ?? ofDisk, null);
  if (bytes !== undefined) return bytes;
  throw invalidParameter(
    'rootdisksize',
    'must be given with an ISO: the instance starts with an empty root volume of so many GB',
  );
}

function rootDiskGigabytes(params: Params): number | undefined {
  const { rootdisksize: inDetails, ...others } = params.details ?? {};
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw invalidParameter('details', `${unknown.slice(0, 80)} is not supported; rootdisksize is`);
  }
  return params.rootdisksize ?? (inDetails === undefined ? undefined : Number(inDetails));
}

/** Writes the root volume and a network card with a free address in each network. */
async function reserve(executor: Executor, vmId: number, plan: Plan): Promise<void> {
  await executor
    .insertInto('volumes')
    .values({
      uuid: randomUUID(),
      name: `ROOT-${vmId}`,
      state: 'Allocated',
      size: plan.rootDiskSizeBytes ?? plan.template.size ?? 0,
      instance_id: vmId,
      template_id: isIso(plan.template) ? null : plan.template.id,
      data_center_id: plan.zoneId,
      account_id: plan.accountId,
    })
    .execute();
  if (plan.dataDisk)
    await insertDataVolume(executor, {
      name: `DATA-${vmId}`,
      ...plan.dataDisk,
      zoneId: plan.zoneId,
      accountId: plan.accountId,
      attachTo: { vmId, position: 1 },
    });
  await insertCards(executor, vmId, plan.cards);
}
