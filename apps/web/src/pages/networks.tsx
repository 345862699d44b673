import { Flex, Form } from 'antd';
import type { Network, NetworkOffering, PhysicalNetwork, Zone } from '../api/entities.ts';
import { useMay } from '../api/permissions.ts';
import { useRows } from '../api/queries.ts';
import type { Session } from '../api/session.ts';
import { text } from '../text/en.ts';
import { AskButton } from '../ui/ask-button.tsx';
import { ChoiceField, TextField } from '../ui/fields.tsx';
import { FormDialog } from '../ui/form-dialog.tsx';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';
import { StateTag } from '../ui/state-tag.tsx';
import { Tabbed } from '../ui/tabbed.tsx';
import { Tags } from '../ui/tags.tsx';
import { NetworkOfferings, PhysicalNetworks } from './physical-networks.tsx';

const t = text.networks;
const all = { page: 1, pagesize: 500 } as const;
const once = { live: false } as const;

/** Networks of guests, and for administrators what these are made on. */
export function Networks({ session }: { readonly session: Session }) {
  const may = useMay();
  return (
    <Page title={t.title} note={t.note}>
      <Tabbed
        tabs={[
          { key: 'networks', label: t.title, children: <GuestNetworks session={session} /> },
          ...(may('listPhysicalNetworks')
            ? [{ key: 'physical', label: t.physical, children: <PhysicalNetworks /> }]
            : []),
          ...(may('createNetworkOffering')
            ? [{ key: 'offerings', label: t.offerings, children: <NetworkOfferings /> }]
            : []),
        ]}
      />
    </Page>
  );
}

function GuestNetworks({ session }: { readonly session: Session }) {
  const may = useMay();
  return (
    <Flex vertical gap="small">
      <div>{may('createNetwork') && <AddNetwork session={session} />}</div>
      <ListTable<Network>
        command="listNetworks"
        label={t.title}
        params={{ listall: true }}
        rowKey={({ id }) => id ?? ''}
        empty={t.empty}
        columns={[
          { title: t.name, dataIndex: 'name' },
          { title: t.type, dataIndex: 'type' },
          { title: t.state, render: (_: unknown, { state }) => <StateTag state={state ?? 'Unknown'} /> },
          { title: t.cidr, render: (_: unknown, { cidr }) => cidr ?? '–' },
          { title: t.gateway, optional: true, render: (_: unknown, { gateway }) => gateway ?? '–' },
          { title: t.vlan, render: (_: unknown, { vlan }) => vlan ?? '–' },
          { title: t.usedBy, render: (_: unknown, { account, acltype }) => account ?? acltype ?? '–' },
          { title: t.zone, dataIndex: 'zonename' },
          {
            title: text.tags.title,
            render: (_: unknown, { id, name, tags }) => (
              <Tags type="Network" id={id ?? ''} name={name ?? ''} tags={tags} />
            ),
          },
          { title: text.keys.action, render: (_: unknown, network) => <Actions network={network} /> },
        ]}
      />
    </Flex>
  );
}

function Actions({ network }: { readonly network: Network }) {
  const { id, name = '', displaytext, dns1, dns2, type } = network;
  const may = useMay();
  return (
    <Flex gap="small" wrap>
      {may('updateNetwork') && (
        <FormDialog
          title={text.settings.edit}
          label={`${text.settings.edit}: ${name}`}
          command="updateNetwork"
          initial={{ name, displaytext, ...(type === 'L2' ? {} : { dns1, dns2 }) }}
          params={(fields: object) => ({ id, ...fields })}
        >
          <TextField first name="name" label={t.name} />
          <TextField optional name="displaytext" label={t.description} />
          {type !== 'L2' && (
            <>
              <TextField optional name="dns1" label={t.dns1} note={t.dnsNote} />
              <TextField optional name="dns2" label={t.dns2} />
            </>
          )}
        </FormDialog>
      )}
      {may('restartNetwork') && (
        <AskButton action={t.restart} command="restartNetwork" params={{ id }} name={name} />
      )}
      {may('deleteNetwork') && (
        <AskButton
          action={text.hosts.remove}
          command="deleteNetwork"
          params={{ id }}
          name={name}
          warning={t.removeNote}
        />
      )}
    </Flex>
  );
}

interface NewNetwork {
  readonly networkofferingid?: string;
  readonly zoneid?: string;
  readonly gateway?: string;
}

function AddNetwork({ session }: { readonly session: Session }) {
  const zones = useRows<Zone>('listZones', all, once).data?.rows ?? [];
  const offerings =
    useRows<NetworkOffering>('listNetworkOfferings', { ...all, state: 'Enabled' }, once).data?.rows ?? [];
  const physical = useRows<PhysicalNetwork>('listPhysicalNetworks', all, {
    ...once,
    enabled: session.isAdmin,
  });
  const [zone] = zones;
  // what others may make is L2: addresses are the administrators' to give
  const possible = session.isAdmin
    ? offerings
    : offerings.filter(({ guestiptype, specifyvlan }) => guestiptype === 'L2' && !specifyvlan);
  if (!zone || possible.length === 0) return null;
  const offeringOf = (id: string | undefined) => possible.find((row) => row.id === id);
  return (
    <FormDialog<NewNetwork>
      primary
      title={t.add}
      command="createNetwork"
      initial={{ zoneid: zone.id ?? '', networkofferingid: possible[0]?.id ?? '' }}
      params={(fields) => ({ ...fields })}
    >
      <TextField first name="name" label={t.name} />
      <TextField optional name="displaytext" label={t.description} />
      <ChoiceField name="networkofferingid" label={t.offering} rows={possible} />
      <ChoiceField name="zoneid" label={t.zone} rows={zones} />
      <Form.Item noStyle shouldUpdate>
        {({ getFieldValue }) => {
          const offering = offeringOf(getFieldValue('networkofferingid') as string | undefined);
          return (
            <>
              {session.isAdmin && (
                <ChoiceField
                  optional
                  name="physicalnetworkid"
                  label={t.onPhysical}
                  note={t.onPhysicalNote}
                  rows={physical.data?.rows ?? []}
                />
              )}
              {session.isAdmin && offering?.specifyvlan && (
                <TextField name="vlan" label={t.vlan} note={t.vlanNote} placeholder="120" />
              )}
              {offering?.guestiptype === 'Shared' && (
                <>
                  <TextField name="gateway" label={t.gateway} placeholder="10.2.0.1" />
                  <TextField name="netmask" label={t.netmask} placeholder="255.255.255.0" />
                  <TextField name="startip" label={t.startIp} placeholder="10.2.0.10" />
                  <TextField name="endip" label={t.endIp} placeholder="10.2.0.200" />
                </>
              )}
            </>
          );
        }}
      </Form.Item>
    </FormDialog>
  );
}
