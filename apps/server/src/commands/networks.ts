import { randomUUID } from 'node:crypto';
import {
  ApiError,
  entityNotFound,
  invalidParameter,
  missingParameter,
  type ParamsOf,
  specs,
} from '@millrace/api';
import { ipv4Number } from '../domain/addresses.ts';
import { demandSubnet, ipv4Parameter } from '../domain/places.ts';
import { displayableName } from '../domain/template-registration.ts';
import { freeVlan, isInRange, parseVlanRange, readVlan } from '../domain/vlan-range.ts';
import type { Executor } from '../store/database.ts';
import { countCards, guestNetworksOf, lockNetwork, vlansInUse } from '../store/networks.ts';
import type { NewRow, Row } from '../store/schema.ts';
import { findZone } from '../store/zone-list.ts';
import { type Caller, implement } from './command.ts';
import { noteNetworkChange } from './network-events.ts';
import { loadNetwork } from './responses/network.ts';
import { reachableAccount, reachableDomain, reachOf } from './scope.ts';

type Params = ParamsOf<(typeof specs.createNetwork)['params']>;

export const createNetwork = implement(specs.createNetwork, async ({ params, database, caller }) => {
  const uuid = randomUUID();
  return database.transaction().execute(async (trx) => {
    const zone = await findZone(trx, params.zoneid);
    if (!zone) throw entityNotFound('zoneid', params.zoneid);
    if (zone.allocation_state !== 'Enabled' && caller.role !== 'admin')
      throw invalidParameter('zoneid', `zone ${zone.name} is disabled`);
    const offering = await offeringFor(trx, params, caller);
    const uplink = await uplinkIn(trx, zone, params.physicalnetworkid);
    const vlan = await vlanFor(trx, offering, uplink, params.vlan);
    const name = displayableName('name', params.name);
    const { id } = await trx
      .insertInto('networks')
      .values({
        ...(await access(trx, params, caller, offering)),
        uuid,
        name,
        display_text: displayableName('displaytext', params.displaytext ?? name),
        data_center_id: zone.id,
        guest_type: offering.guest_type,
        kind: 'bridge',
        network_offering_id: offering.id,
        physical_network_id: uplink.id,
        uplink: uplink.label,
        vlan: vlan ?? null,
        libvirt_name: `mlr-${uuid}`,
        bridge: vlan === undefined ? uplink.label : `mlv${uplink.id}-${vlan}`,
        dns1: ipv4Parameter('dns1', params.dns1) ?? null,
        dns2: ipv4Parameter('dns2', params.dns2) ?? null,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    if (offering.guest_type === 'Shared') await insertRange(trx, id, params);
    else if (params.gateway ?? params.startip)
      throw invalidParameter(
        'gateway',
        'is for Shared networks: in an L2 network guests find their addresses themselves',
      );
    await noteNetworkChange(trx, caller, {
      kind: 'NETWORK',
      type: 'NETWORK.CREATE',
      description: `made network ${name}`,
      uuid,
    });
    return { object: await loadNetwork(trx, uuid, caller.role === 'admin') };
  });
});

/** An offering that the caller may make a network of. @throws ApiError 431 */
async function offeringFor(
  executor: Executor,
  { networkofferingid }: Params,
  caller: Caller,
): Promise<Row<'network_offering'>> {
  const offering = await executor
    .selectFrom('network_offering')
    .selectAll()
    .where('uuid', '=', networkofferingid)
    .where('removed', 'is', null)
    .executeTakeFirst();
  if (!offering) throw entityNotFound('networkofferingid', networkofferingid);
  const refuse = (why: string) => invalidParameter('networkofferingid', `${offering.name} ${why}`);
  if (offering.state !== 'Enabled') throw refuse('is disabled');
  if (offering.guest_type === 'Shared' && !offering.specify_ip_ranges)
    throw refuse('is for the network that every host has by itself');
  if (caller.role !== 'admin' && (offering.guest_type === 'Shared' || offering.specify_vlan))
    throw refuse('is for administrators: VLANs and addresses are theirs to give');
  return offering;
}

interface Uplink {
  readonly id: number;
  readonly label: string;
  readonly range: string | null;
  readonly name: string;
}

/** @throws ApiError 431 with what an administrator has to do */
async function uplinkIn(
  executor: Executor,
  zone: Row<'data_center'>,
  uuid: string | undefined,
): Promise<Uplink> {
  const all = await guestNetworksOf(executor, zone.id);
  const found = uuid === undefined ? all : all.filter((network) => network.uuid === uuid);
  const [only, other] = found;
  if (!only) {
    if (uuid !== undefined) throw entityNotFound('physicalnetworkid', uuid);
    throw invalidParameter(
      'zoneid',
      `zone ${zone.name} has no physical network for guests: an administrator makes one with createPhysicalNetwork and addTrafficType traffictype=Guest kvmnetworklabel=BRIDGE`,
    );
  }
  if (other)
    throw invalidParameter(
      'physicalnetworkid',
      `must name one of ${found.map(({ name }) => name).join(', ')}`,
    );
  const { id, name, kvm_network_label: label, vlan_range: range } = only;
  if (only.state !== 'Enabled')
    throw invalidParameter('physicalnetworkid', `physical network ${name} is disabled`);
  if (label === null)
    throw invalidParameter(
      'physicalnetworkid',
      `physical network ${name} has no label for hosts (kvmnetworklabel)`,
    );
  const locked = await executor
    .selectFrom('physical_network')
    .select('id')
    .where('id', '=', id)
    .where('removed', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  // it may have been deleted while the lock was waited for
  if (!locked) throw invalidParameter('physicalnetworkid', `physical network ${name} has just been deleted`);
  return { id, label, range, name };
}

/** @returns undefined: untagged */
async function vlanFor(
  executor: Executor,
  offering: Row<'network_offering'>,
  uplink: Uplink,
  asked: string | undefined,
): Promise<number | undefined> {
  const taken = await vlansInUse(executor, uplink.id);
  const range = uplink.range === null ? undefined : parseVlanRange(uplink.range);
  if (!offering.specify_vlan) {
    if (asked !== undefined) throw invalidParameter('vlan', `offering ${offering.name} chooses one itself`);
    const free = range && freeVlan(range, taken);
    if (free !== undefined) return free;
    throw range
      ? new ApiError(
          'INSUFFICIENT_CAPACITY_ERROR',
          `physical network ${uplink.name} has no free VLAN in ${uplink.range}`,
        )
      : invalidParameter(
          'networkofferingid',
          `physical network ${uplink.name} has no VLANs to choose from: updatePhysicalNetwork vlan=100-199`,
        );
  }
  if (asked === undefined) throw missingParameter('createNetwork', 'vlan');
  const vlan = readVlan(asked);
  if (vlan === 'untagged') return undefined;
  if (taken.has(vlan)) throw invalidParameter('vlan', `${vlan} has a network already`);
  // what is chosen automatically must not be taken by hand, and is there to be chosen from
  if (range && !isInRange(range, vlan) && offering.guest_type === 'L2')
    throw invalidParameter(
      'vlan',
      `must be in ${uplink.range}, the range of physical network ${uplink.name}`,
    );
  return vlan;
}

/** Who may use it. @throws ApiError 431, 531 */
async function access(
  executor: Executor,
  params: Params,
  caller: Caller,
  offering: Row<'network_offering'>,
): Promise<Pick<NewRow<'networks'>, 'acl_type' | 'account_id' | 'domain_id' | 'subdomain_access'>> {
  const byDefault = params.account !== undefined || offering.guest_type === 'L2' ? 'account' : 'domain';
  const type = params.acltype?.toLowerCase() ?? byDefault;
  if (type === 'account') {
    const owner =
      params.account === undefined
        ? { id: caller.accountId }
        : await reachableAccount(executor, caller, params.account, params.domainid);
    return { acl_type: 'Account', account_id: owner.id, subdomain_access: false };
  }
  if (type !== 'domain') throw invalidParameter('acltype', 'must be Account or Domain');
  if (params.account !== undefined) throw invalidParameter('account', 'needs acltype=Account');
  if (caller.role === 'user')
    throw invalidParameter('acltype', 'must be Account: only administrators share networks');
  const domain =
    params.domainid === undefined && caller.role === 'admin'
      ? undefined
      : await reachableDomain(executor, caller, params.domainid ?? caller.domainUuid);
  return {
    acl_type: 'Domain',
    domain_id: domain?.id ?? null,
    subdomain_access: params.subdomainaccess ?? true,
  };
}

interface RangeParams {
  readonly gateway?: string | undefined;
  readonly netmask?: string | undefined;
  readonly startip?: string | undefined;
  readonly endip?: string | undefined;
}

/** @returns the range's uuid @throws ApiError 431 */
export async function insertRange(trx: Executor, networkId: number, params: RangeParams): Promise<string> {
  const { gateway, netmask, startip: startIp, endip = startIp } = params;
  if (gateway === undefined || netmask === undefined || startIp === undefined || endip === undefined)
    throw invalidParameter('gateway', 'gateway, netmask, startip and endip say which addresses guests get');
  demandSubnet({ gateway, netmask, startIp, endIp: endip });
  const present = await trx
    .selectFrom('vlan_ip_range')
    .selectAll()
    .where('network_id', '=', networkId)
    .execute();
  const overlapping = present.find((range) => overlaps(range, { start_ip: startIp, end_ip: endip }));
  if (overlapping)
    throw invalidParameter('startip', `overlaps with ${overlapping.start_ip} to ${overlapping.end_ip}`);
  for (const range of present) {
    if (overlaps({ start_ip: startIp, end_ip: endip }, { start_ip: range.gateway, end_ip: range.gateway }))
      throw invalidParameter('startip', `no guest may get ${range.gateway}, the gateway of another range`);
    if (overlaps(range, { start_ip: gateway, end_ip: gateway }))
      throw invalidParameter(
        'gateway',
        `is among the addresses of guests, ${range.start_ip} to ${range.end_ip}`,
      );
  }
  const uuid = randomUUID();
  await trx
    .insertInto('vlan_ip_range')
    .values({ uuid, network_id: networkId, gateway, netmask, start_ip: startIp, end_ip: endip })
    .execute();
  return uuid;
}

function overlaps(
  one: { readonly start_ip: string; readonly end_ip: string },
  other: { readonly start_ip: string; readonly end_ip: string },
): boolean {
  return (
    ipv4Number(one.start_ip) <= ipv4Number(other.end_ip) &&
    ipv4Number(other.start_ip) <= ipv4Number(one.end_ip)
  );
}

export const updateNetwork = implement(specs.updateNetwork, async ({ params, database, jobs, caller }) => {
  const jobId = await database.transaction().execute(async (trx) => {
    const network = await lockNetwork(trx, params.id, reachOf(caller));
    if (!network) throw entityNotFound('id', params.id);
    const changes = Object.fromEntries(
      Object.entries({
        name: params.name && displayableName('name', params.name),
        display_text: params.displaytext && displayableName('displaytext', params.displaytext),
        dns1: ipv4Parameter('dns1', params.dns1),
        dns2: ipv4Parameter('dns2', params.dns2),
      }).filter(([, value]) => value !== undefined),
    );
    if (Object.keys(changes).length > 0)
      await trx.updateTable('networks').set(changes).where('id', '=', network.id).execute();
    await noteNetworkChange(trx, caller, {
      kind: 'NETWORK',
      type: 'NETWORK.UPDATE',
      description: `changed ${Object.keys(changes).join(', ') || 'nothing'} of network ${network.name}`,
      uuid: network.uuid,
    });
    return jobs.enqueue(trx, {
      command: 'updateNetwork',
      parameters: { networkUuid: network.uuid },
      userId: caller.userId,
      accountId: network.account_id ?? caller.accountId,
      instanceType: 'Network',
      instanceUuid: network.uuid,
    });
  });
  return { jobId };
});

export const deleteNetwork = implement(specs.deleteNetwork, async ({ params, database, jobs, caller }) => {
  const jobId = await database.transaction().execute(async (trx) => {
    const network = await lockNetwork(trx, params.id, reachOf(caller));
    if (!network) throw entityNotFound('id', params.id);
    const cards = await countCards(trx, network.id);
    if (cards > 0)
      throw new ApiError(
        'RESOURCE_IN_USE_ERROR',
        `network ${network.name} has the cards of ${cards} instance(s): expunge them first`,
      );
    await trx.updateTable('networks').set({ removed: new Date() }).where('id', '=', network.id).execute();
    await noteNetworkChange(trx, caller, {
      kind: 'NETWORK',
      type: 'NETWORK.DELETE',
      description: `deleted network ${network.name}`,
      uuid: network.uuid,
    });
    return jobs.enqueue(trx, {
      command: 'deleteNetwork',
      parameters: { networkId: network.id },
      userId: caller.userId,
      accountId: network.account_id ?? caller.accountId,
      instanceType: 'Network',
      instanceUuid: network.uuid,
    });
  });
  return { jobId };
});
