import { randomUUID } from 'node:crypto';
import { entityNotFound, formatDate, invalidParameter, missingParameter, specs } from '@millrace/api';
import { displayableName } from '../domain/template-registration.ts';
import type { Executor } from '../store/database.ts';
import { containing } from '../store/owner-scope.ts';
import { pageOf } from '../store/paging.ts';
import type { Row } from '../store/schema.ts';
import { implement } from './command.ts';
import { noteNetworkChange } from './network-events.ts';
import { pageFrom } from './page.ts';
import { servicesOf } from './responses/network.ts';

const guestTypes = ['Shared', 'L2'] as const;
const servicesHere = ['Dhcp', 'Dns', 'UserData'];

export const createNetworkOffering = implement(
  specs.createNetworkOffering,
  async ({ params, database, caller }) => {
    const guestType = guestTypes.find((type) => type.toLowerCase() === params.guestiptype.toLowerCase());
    if (!guestType)
      throw invalidParameter(
        'guestiptype',
        'must be Shared or L2: there are no virtual routers for Isolated ones',
      );
    if (params.traffictype.toLowerCase() !== 'guest') throw invalidParameter('traffictype', 'must be Guest');
    const foreign = params.supportedservices?.find((name) => !servicesHere.includes(name));
    if (foreign !== undefined)
      throw invalidParameter(
        'supportedservices',
        `${foreign} needs a virtual router: there are ${servicesHere.join(', ')}`,
      );
    if (guestType === 'Shared' && params.specifyipranges === false)
      throw invalidParameter('specifyipranges', 'must be true for Shared networks');
    if (guestType === 'Shared' && params.specifyvlan === false)
      throw invalidParameter('specifyvlan', 'must be true for Shared networks');
    const uuid = randomUUID();
    return database.transaction().execute(async (trx) => {
      const name = await freeName(trx, params.name);
      await trx
        .insertInto('network_offering')
        .values({
          uuid,
          name,
          display_text: displayableName('displaytext', params.displaytext),
          guest_type: guestType,
          specify_vlan: guestType === 'Shared' || (params.specifyvlan ?? false),
          specify_ip_ranges: guestType === 'Shared',
          state: params.enable ? 'Enabled' : 'Disabled',
        })
        .execute();
      await noteNetworkChange(trx, caller, {
        kind: 'NETWORK.OFFERING',
        type: 'NETWORK.OFFERING.CREATE',
        description: `made network offering ${name}`,
        uuid,
      });
      return { object: offeringEntity(await offeringOf(trx, uuid)) };
    });
  },
);

export const listNetworkOfferings = implement(specs.listNetworkOfferings, async ({ params, database }) => {
  let query = database.selectFrom('network_offering').where('removed', 'is', null);
  const equal = [
    ['uuid', params.id],
    ['name', params.name],
    ['display_text', params.displaytext],
    ['is_default', params.isdefault],
    ['specify_vlan', params.specifyvlan],
    ['specify_ip_ranges', params.specifyipranges],
  ] as const;
  for (const [column, value] of equal) if (value !== undefined) query = query.where(column, '=', value);
  const { guestiptype, state, keyword, supportedservices } = params;
  if (guestiptype !== undefined) {
    const type = guestTypes.find((name) => name.toLowerCase() === guestiptype.toLowerCase());
    if (!type) return { list: [], count: 0 };
    query = query.where('guest_type', '=', type);
  }
  if (state !== undefined) query = query.where('state', 'ilike', state.replaceAll(/[\\%_]/g, '\\$&'));
  if (keyword !== undefined) query = query.where('name', 'ilike', containing(keyword));
  if (supportedservices?.some((name) => !servicesHere.includes(name))) return { list: [], count: 0 };
  const sorted = query.selectAll().orderBy('sort_key').orderBy('id');
  const { rows, count } = await pageOf(sorted, await pageFrom(database, params));
  return { list: rows.map(offeringEntity), count };
});

export const updateNetworkOffering = implement(
  specs.updateNetworkOffering,
  async ({ params, database, caller }) => {
    const { id, state } = params;
    if (id === undefined) throw missingParameter('updateNetworkOffering', 'id');
    const word = ['Enabled', 'Disabled'].find((name) => name.toLowerCase() === state?.toLowerCase());
    if (state !== undefined && word === undefined)
      throw invalidParameter('state', 'must be Enabled or Disabled');
    return database.transaction().execute(async (trx) => {
      const offering = await offeringOf(trx, id);
      const renamed = params.name !== undefined && params.name.toLowerCase() !== offering.name.toLowerCase();
      const changes = Object.fromEntries(
        Object.entries({
          name: renamed ? await freeName(trx, params.name ?? '') : params.name,
          display_text: params.displaytext && displayableName('displaytext', params.displaytext),
          state: word,
          sort_key: params.sortkey,
        }).filter(([, value]) => value !== undefined),
      );
      if (Object.keys(changes).length > 0) {
        await trx.updateTable('network_offering').set(changes).where('id', '=', offering.id).execute();
        await noteNetworkChange(trx, caller, {
          kind: 'NETWORK.OFFERING',
          type: 'NETWORK.OFFERING.EDIT',
          description: `changed network offering ${offering.name}`,
          uuid: offering.uuid,
        });
      }
      return { object: offeringEntity(await offeringOf(trx, id)) };
    });
  },
);

export const deleteNetworkOffering = implement(
  specs.deleteNetworkOffering,
  async ({ params, database, caller }) => {
    await database.transaction().execute(async (trx) => {
      const offering = await offeringOf(trx, params.id);
      if (offering.is_default)
        throw invalidParameter('id', `${offering.name} came with the cloud: disable it`);
      await trx
        .updateTable('network_offering')
        .set({ removed: new Date() })
        .where('id', '=', offering.id)
        .execute();
      await noteNetworkChange(trx, caller, {
        kind: 'NETWORK.OFFERING',
        type: 'NETWORK.OFFERING.DELETE',
        description: `deleted network offering ${offering.name}`,
        uuid: offering.uuid,
      });
    });
    return { success: true };
  },
);

async function offeringOf(trx: Executor, uuid: string): Promise<Row<'network_offering'>> {
  const offering = await trx
    .selectFrom('network_offering')
    .selectAll()
    .where('uuid', '=', uuid)
    .where('removed', 'is', null)
    .forUpdate()
    .executeTakeFirst();
  if (!offering) throw entityNotFound('id', uuid);
  return offering;
}

async function freeName(trx: Executor, text: string): Promise<string> {
  const name = displayableName('name', text);
  const taken = await trx
    .selectFrom('network_offering')
    .select('id')
    .where('name', 'ilike', name.replaceAll(/[\\%_]/g, '\\$&'))
    .where('removed', 'is', null)
    .executeTakeFirst();
  if (taken) throw invalidParameter('name', `there is a network offering ${name} already`);
  return name;
}

function offeringEntity(row: Row<'network_offering'>) {
  return {
    id: row.uuid,
    name: row.name,
    displaytext: row.display_text,
    created: formatDate(row.created),
    guestiptype: row.guest_type,
    traffictype: 'Guest',
    state: row.state,
    availability: 'Optional',
    isdefault: row.is_default,
    specifyvlan: row.specify_vlan,
    specifyipranges: row.specify_ip_ranges,
    service: servicesOf(
      row.guest_type,
      row.specify_ip_ranges || row.guest_type === 'L2' ? 'ConfigDrive' : 'Libvirt',
    ),
    internetprotocol: 'IPv4',
    conservemode: false,
    egressdefaultpolicy: true,
    fortungsten: false,
    forvpc: false,
    ispersistent: true,
    supportspublicaccess: false,
    supportsstrechedl2subnet: false,
    hasannotations: false,
  };
}
