import { PlusOutlined } from '@ant-design/icons';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { Button, Select } from 'antd';
import type { Host, Template, VirtualMachine, Zone } from '../api/entities.ts';
import { useMay } from '../api/permissions.ts';
import { useRows } from '../api/queries.ts';
import type { Session } from '../api/session.ts';
import { text } from '../text/en.ts';
import { BulkAction } from '../ui/bulk-action.tsx';
import type { ListColumn } from '../ui/list-columns.tsx';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';
import { formatGibibytes, formatTime } from '../ui/quantities.ts';
import { StateTag } from '../ui/state-tag.tsx';
import { tagsText } from '../ui/tags.tsx';

const t = text.instances;
const states = ['Running', 'Stopped', 'Starting', 'Stopping', 'Migrating', 'Error', 'Destroyed'];
const once = { live: false } as const;

interface Filters {
  readonly state?: string | undefined;
  readonly zoneid?: string | undefined;
  readonly hostid?: string | undefined;
  readonly templateid?: string | undefined;
}

const columns: readonly ListColumn<VirtualMachine>[] = [
  {
    title: t.name,
    sortBy: 'name',
    render: (_: unknown, vm) => <Link to={`/instances/${vm.id}`}>{vm.displayname ?? vm.name}</Link>,
  },
  { title: t.state, sortBy: 'state', render: (_: unknown, vm) => <StateTag state={vm.state ?? 'Unknown'} /> },
  { title: t.address, render: (_: unknown, vm) => vm.nic?.[0]?.ipaddress ?? '–' },
  { title: t.template, dataIndex: 'templatename' },
  { title: t.offering, dataIndex: 'serviceofferingname' },
  { title: t.host, render: (_: unknown, vm) => vm.hostname ?? '–' },
  { title: t.created, sortBy: 'created', render: (_: unknown, vm) => formatTime(vm.created) },
  { title: t.account, dataIndex: 'account', optional: true },
  { title: t.zone, dataIndex: 'zonename', optional: true },
  { title: t.cpus, dataIndex: 'cpunumber', optional: true },
  {
    title: t.memory,
    optional: true,
    render: (_: unknown, vm) => formatGibibytes((vm.memory ?? 0) * 1024 ** 2),
  },
  { title: text.tags.title, optional: true, render: (_: unknown, vm) => tagsText(vm.tags) },
];

const bulk = [
  { action: t.start, command: 'startVirtualMachine', states: ['Stopped'] },
  { action: t.stop, command: 'stopVirtualMachine', states: ['Running'], warning: t.stopBulkNote },
  {
    action: t.destroy,
    command: 'destroyVirtualMachine',
    states: ['Running', 'Stopped', 'Error'],
    warning: t.destroyNote,
  },
  { action: t.recover, command: 'recoverVirtualMachine', states: ['Destroyed'] },
  {
    action: t.expunge,
    command: 'expungeVirtualMachine',
    states: ['Destroyed', 'Error'],
    warning: t.expungeNote,
  },
] as const;

export function Instances({ session }: { readonly session: Session }) {
  const { state, zoneid, hostid, templateid } = useSearch({ strict: false }) as Filters;
  const may = useMay();
  const deploy = may('deployVirtualMachine') && (
    <Link to="/instances/deploy">
      <Button type="primary" icon={<PlusOutlined />}>
        {t.deploy}
      </Button>
    </Link>
  );
  return (
    <Page title={t.title} actions={deploy}>
      <ListTable<VirtualMachine>
        command="listVirtualMachines"
        label={t.title}
        params={{ listall: true, state, zoneid, hostid, templateid }}
        rowKey={(vm) => vm.id ?? ''}
        empty={t.empty}
        filters={<FilterBar session={session} />}
        bulk={(rows, done) =>
          bulk
            .filter(({ command }) => may(command))
            .map(({ states: fitting, ...action }) => (
              <BulkAction
                key={action.command}
                {...action}
                done={done}
                targets={rows
                  .filter((vm) => fitting.some((one) => one === vm.state))
                  .map((vm) => ({
                    name: vm.displayname ?? vm.name ?? '',
                    params: { id: vm.id },
                    path: `/instances/${vm.id}`,
                  }))}
              />
            ))
        }
        columns={columns}
      />
    </Page>
  );
}

/** What the list is narrowed by. It is in the URL, and the server that does it. */
function FilterBar({ session }: { readonly session: Session }) {
  const filters = useSearch({ strict: false }) as Filters;
  const admins = { ...once, enabled: session.isAdmin };
  const zones = useRows<Zone>('listZones', {}, once);
  const hosts = useRows<Host>('listHosts', { type: 'Routing', page: 1, pagesize: 500 }, admins);
  const images = useRows<Template>(
    'listTemplates',
    {
      templatefilter: session.isAdmin ? 'all' : 'executable',
      showunique: true,
      page: 1,
      pagesize: 500,
    },
    once,
  );
  return (
    <>
      <Filter
        name="state"
        label={t.state}
        value={filters.state}
        options={states.map((value) => ({ value, label: value }))}
      />
      <Filter name="templateid" label={t.template} value={filters.templateid} options={named(images)} />
      {(zones.data?.count ?? 0) > 1 && (
        <Filter name="zoneid" label={t.zone} value={filters.zoneid} options={named(zones)} />
      )}
      {session.isAdmin && (
        <Filter name="hostid" label={t.host} value={filters.hostid} options={named(hosts)} />
      )}
    </>
  );
}

interface Option {
  readonly value: string;
  readonly label: string;
}

interface Named {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
}

const named = ({ data }: { readonly data?: { readonly rows: readonly Named[] } | undefined }): Option[] =>
  (data?.rows ?? []).map(({ id, name }) => ({ value: id ?? '', label: name ?? '' }));

function Filter(props: {
  readonly name: keyof Filters;
  readonly label: string;
  readonly value: string | undefined;
  readonly options: readonly Option[];
}) {
  const navigate = useNavigate();
  return (
    <Select
      allowClear
      showSearch={{ optionFilterProp: 'label' }}
      aria-label={props.label}
      placeholder={props.label}
      style={{ width: 150 }}
      value={props.value ?? null}
      options={[...props.options]}
      onChange={(value: string | null | undefined) =>
        void navigate({
          to: '.',
          search: (old: object) => ({ ...old, [props.name]: value ?? undefined, page: 1 }),
          replace: true,
        })
      }
    />
  );
}
