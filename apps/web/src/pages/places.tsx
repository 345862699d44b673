import { Flex } from 'antd';
import type { Cluster, Pod, Zone } from '../api/entities.ts';
import { useMay } from '../api/permissions.ts';
import { useRows } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { AskButton } from '../ui/ask-button.tsx';
import { ChoiceField, TextField } from '../ui/fields.tsx';
import { FormDialog } from '../ui/form-dialog.tsx';
import type { ListColumn } from '../ui/list-columns.tsx';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';
import { StateTag } from '../ui/state-tag.tsx';
import { Tabbed } from '../ui/tabbed.tsx';

const t = text.places;
const everyone = { page: 1, pagesize: 500 } as const;
const once = { live: false } as const;

/** Where hosts and storage are: zones, their pods, and clusters in these. */
export function Places() {
  return (
    <Page title={t.title} note={t.note}>
      <Tabbed
        tabs={[
          { key: 'zones', label: t.zones, children: <Zones /> },
          { key: 'pods', label: t.pods, children: <Pods /> },
          { key: 'clusters', label: t.clusters, children: <Clusters /> },
        ]}
      />
    </Page>
  );
}

interface Place {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly allocationstate?: string | undefined;
  readonly location?: string | undefined;
}

/** What the three kinds of places have in common. */
const common = <T extends Place>(): readonly ListColumn<T>[] => [
  { title: t.name, dataIndex: 'name' },
  {
    title: t.state,
    render: (_: unknown, { allocationstate }: T) => <StateTag state={allocationstate ?? 'Unknown'} />,
  },
  { title: t.location, render: (_: unknown, { location }: T) => location ?? '–' },
];

function Zones() {
  return (
    <Flex vertical gap="small" align="stretch">
      <div>
        <FormDialog
          primary
          title={t.addZone}
          command="createZone"
          params={(fields: object) => ({ ...fields, networktype: 'Advanced' })}
        >
          <TextField first name="name" label={t.name} />
          <TextField name="dns1" label={t.dns1} placeholder="10.0.0.53" />
          <TextField name="internaldns1" label={t.internalDns} placeholder="10.0.0.53" />
          <TextField optional name="location" label={t.location} note={t.locationNote} placeholder="de" />
        </FormDialog>
      </div>
      <ListTable<Zone>
        command="listZones"
        label={t.zones}
        rowKey={({ id }) => id ?? ''}
        columns={[
          ...common<Zone>(),
          { title: t.dns1, dataIndex: 'dns1' },
          { title: t.internalDns, dataIndex: 'internaldns1' },
          {
            title: text.keys.action,
            render: (_: unknown, zone) => (
              <Actions
                place={zone}
                update="updateZone"
                remove="deleteZone"
                fields={
                  <>
                    <TextField name="dns1" label={t.dns1} />
                    <TextField name="internaldns1" label={t.internalDns} />
                  </>
                }
                initial={{ dns1: zone.dns1, internaldns1: zone.internaldns1 }}
              />
            ),
          },
        ]}
      />
    </Flex>
  );
}

function Pods() {
  const zones = useRows<Zone>('listZones', everyone, once).data?.rows ?? [];
  return (
    <Flex vertical gap="small">
      <div>
        <FormDialog primary title={t.addPod} command="createPod" params={(fields: object) => ({ ...fields })}>
          <TextField first name="name" label={t.name} />
          <ChoiceField name="zoneid" label={t.zone} rows={zones} />
          <TextField optional name="gateway" label={t.gateway} placeholder="10.1.0.1" />
          <TextField optional name="netmask" label={t.netmask} placeholder="255.255.255.0" />
          <TextField optional name="startip" label={t.startIp} />
          <TextField optional name="endip" label={t.endIp} />
          <TextField optional name="location" label={t.location} note={t.locationNote} />
        </FormDialog>
      </div>
      <ListTable<Pod>
        command="listPods"
        label={t.pods}
        rowKey={({ id }) => id ?? ''}
        columns={[
          ...common<Pod>(),
          { title: t.zone, dataIndex: 'zonename' },
          { title: t.gateway, dataIndex: 'gateway' },
          {
            title: text.keys.action,
            render: (_: unknown, pod) => <Actions place={pod} update="updatePod" remove="deletePod" />,
          },
        ]}
      />
    </Flex>
  );
}

function Clusters() {
  const pods = useRows<Pod>('listPods', everyone, once).data?.rows ?? [];
  const labelled = pods.map(({ id, name, zonename }) => ({ id, name: `${zonename}: ${name}` }));
  return (
    <Flex vertical gap="small">
      <div>
        <FormDialog<{ readonly podid?: string }>
          primary
          title={t.addCluster}
          command="addCluster"
          params={(fields) => ({
            ...fields,
            zoneid: pods.find(({ id }) => id === fields.podid)?.zoneid,
            clustertype: 'CloudManaged',
            hypervisor: 'KVM',
          })}
        >
          <TextField first name="clustername" label={t.name} />
          <ChoiceField name="podid" label={t.pod} rows={labelled} />
          <TextField optional name="location" label={t.location} note={t.locationNote} />
        </FormDialog>
      </div>
      <ListTable<Cluster>
        command="listClusters"
        label={t.clusters}
        rowKey={({ id }) => id ?? ''}
        columns={[
          ...common<Cluster>(),
          { title: t.pod, dataIndex: 'podname' },
          { title: t.zone, dataIndex: 'zonename' },
          { title: text.hosts.hypervisor, dataIndex: 'hypervisortype' },
          {
            title: text.keys.action,
            render: (_: unknown, cluster) => (
              <Actions
                place={cluster}
                update="updateCluster"
                remove="deleteCluster"
                nameField="clustername"
              />
            ),
          },
        ]}
      />
    </Flex>
  );
}

function Actions(props: {
  readonly place: Place;
  readonly update: string;
  readonly remove: string;
  readonly nameField?: string;
  readonly fields?: React.ReactNode;
  readonly initial?: object;
}) {
  const { id, name = '', allocationstate, location } = props.place;
  const { nameField = 'name' } = props;
  const may = useMay();
  const enabled = allocationstate === 'Enabled';
  return (
    <Flex gap="small" wrap>
      {may(props.update) && (
        <>
          <FormDialog
            title={text.settings.edit}
            label={`${text.settings.edit}: ${name}`}
            command={props.update}
            initial={{ [nameField]: name, location, ...props.initial }}
            params={(fields: object) => ({ id, ...fields })}
          >
            <TextField first name={nameField} label={t.name} />
            {props.fields}
            <TextField optional name="location" label={t.location} note={t.locationNote} />
          </FormDialog>
          <AskButton
            action={enabled ? text.hosts.disable : text.hosts.enable}
            command={props.update}
            params={{ id, allocationstate: enabled ? 'Disabled' : 'Enabled' }}
            name={name}
          />
        </>
      )}
      {may(props.remove) && (
        <AskButton
          action={text.hosts.remove}
          command={props.remove}
          params={{ id }}
          name={name}
          warning={t.removeNote}
        />
      )}
    </Flex>
  );
}
