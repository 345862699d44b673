import { Flex, Form, Select } from 'antd';
import type { NetworkOffering, PhysicalNetwork, TrafficType, Zone } from '../api/entities.ts';
import { useRows } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { AskButton } from '../ui/ask-button.tsx';
import { ChoiceField, TextField } from '../ui/fields.tsx';
import { FormDialog } from '../ui/form-dialog.tsx';
import { ListTable } from '../ui/list-table.tsx';
import { StateTag } from '../ui/state-tag.tsx';

const t = text.networks;

/** What the hosts of a zone are plugged into, and how they call it. */
export function PhysicalNetworks() {
  const zones = useRows<Zone>('listZones', { page: 1, pagesize: 500 }, { live: false }).data?.rows ?? [];
  return (
    <Flex vertical gap="small">
      <div>
        <FormDialog
          primary
          title={t.addPhysical}
          command="createPhysicalNetwork"
          params={(fields: object) => ({ ...fields })}
        >
          <TextField first name="name" label={t.name} />
          <ChoiceField name="zoneid" label={t.zone} rows={zones} />
          <TextField optional name="vlan" label={t.vlans} note={t.vlansNote} placeholder="100-199" />
        </FormDialog>
      </div>
      <ListTable<PhysicalNetwork>
        command="listPhysicalNetworks"
        label={t.physical}
        searchable={false}
        rowKey={({ id }) => id ?? ''}
        columns={[
          { title: t.name, dataIndex: 'name' },
          { title: t.state, render: (_: unknown, { state }) => <StateTag state={state ?? 'Unknown'} /> },
          { title: t.vlans, render: (_: unknown, { vlan }) => vlan ?? '–' },
          { title: t.carries, render: (_: unknown, { id }) => <Traffic id={id ?? ''} /> },
          { title: t.zone, dataIndex: 'zonename' },
          { title: text.keys.action, render: (_: unknown, row) => <PhysicalActions row={row} /> },
        ]}
      />
    </Flex>
  );
}

function Traffic({ id }: { readonly id: string }) {
  const { data } = useRows<TrafficType>(
    'listTrafficTypes',
    { physicalnetworkid: id, page: 1, pagesize: 20 },
    { live: false },
  );
  return (data?.rows ?? [])
    .map(({ traffictype, kvmnetworklabel }) =>
      kvmnetworklabel ? `${traffictype} (${kvmnetworklabel})` : traffictype,
    )
    .join(', ');
}

function PhysicalActions({ row }: { readonly row: PhysicalNetwork }) {
  const { id, name = '', state, vlan } = row;
  const enabled = state === 'Enabled';
  return (
    <Flex gap="small" wrap>
      <FormDialog
        title={text.settings.edit}
        label={`${text.settings.edit}: ${name}`}
        command="updatePhysicalNetwork"
        initial={{ vlan }}
        params={(fields: object) => ({ id, ...fields })}
      >
        <TextField optional first name="vlan" label={t.vlans} note={t.vlansNote} />
      </FormDialog>
      <FormDialog
        title={t.addTraffic}
        label={`${t.addTraffic}: ${name}`}
        command="addTrafficType"
        initial={{ traffictype: 'Guest' }}
        params={(fields: object) => ({ physicalnetworkid: id, ...fields })}
      >
        <Form.Item name="traffictype" label={t.traffic}>
          <Select
            options={['Guest', 'Management', 'Storage', 'Public'].map((value) => ({ value, label: value }))}
          />
        </Form.Item>
        <TextField optional name="kvmnetworklabel" label={t.label} note={t.labelNote} placeholder="eth1" />
      </FormDialog>
      <AskButton
        action={enabled ? text.hosts.disable : text.hosts.enable}
        command="updatePhysicalNetwork"
        params={{ id, state: enabled ? 'Disabled' : 'Enabled' }}
        name={name}
      />
      <AskButton
        action={text.hosts.remove}
        command="deletePhysicalNetwork"
        params={{ id }}
        name={name}
        warning={t.removePhysicalNote}
      />
    </Flex>
  );
}

export function NetworkOfferings() {
  return (
    <Flex vertical gap="small">
      <div>
        <FormDialog<{ readonly name?: string; readonly guestiptype?: string; readonly specifyvlan?: boolean }>
          primary
          title={t.addOffering}
          command="createNetworkOffering"
          initial={{ guestiptype: 'L2', specifyvlan: true }}
          params={({ name, guestiptype, specifyvlan }) => ({
            name,
            displaytext: name,
            guestiptype,
            specifyvlan,
            traffictype: 'Guest',
            enable: true,
            ...(guestiptype === 'Shared'
              ? { specifyipranges: true, supportedservices: 'Dhcp,Dns,UserData' }
              : {}),
          })}
        >
          <TextField first name="name" label={t.name} />
          <Form.Item name="guestiptype" label={t.type}>
            <Select options={['L2', 'Shared'].map((value) => ({ value, label: value }))} />
          </Form.Item>
          <Form.Item name="specifyvlan" label={t.vlan}>
            <Select
              options={[
                { value: true, label: t.vlanNamed },
                { value: false, label: t.vlanChosen },
              ]}
            />
          </Form.Item>
        </FormDialog>
      </div>
      <ListTable<NetworkOffering>
        command="listNetworkOfferings"
        label={t.offerings}
        rowKey={({ id }) => id ?? ''}
        columns={[
          { title: t.name, dataIndex: 'name' },
          { title: t.type, dataIndex: 'guestiptype' },
          { title: t.state, render: (_: unknown, { state }) => <StateTag state={state ?? 'Unknown'} /> },
          {
            title: t.vlan,
            render: (_: unknown, { specifyvlan }) => (specifyvlan ? t.vlanNamed : t.vlanChosen),
          },
          {
            title: text.keys.action,
            render: (_: unknown, { id, name = '', state }) => (
              <Flex gap="small" wrap>
                <AskButton
                  action={state === 'Enabled' ? text.hosts.disable : text.hosts.enable}
                  command="updateNetworkOffering"
                  params={{ id, state: state === 'Enabled' ? 'Disabled' : 'Enabled' }}
                  name={name}
                />
                <AskButton
                  action={text.hosts.remove}
                  command="deleteNetworkOffering"
                  params={{ id }}
                  name={name}
                  warning={t.removeOfferingNote}
                />
              </Flex>
            ),
          },
        ]}
      />
    </Flex>
  );
}
