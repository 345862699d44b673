import { PlusOutlined } from '@ant-design/icons';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { Button, Select } from 'antd';
import type { VirtualMachine } from '../api/entities.ts';
import { text } from '../text/en.ts';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';
import { formatTime } from '../ui/quantities.ts';
import { StateTag } from '../ui/state-tag.tsx';

const states = ['Running', 'Stopped', 'Starting', 'Stopping', 'Error', 'Destroyed'];

export function Instances() {
  const { state } = useSearch({ strict: false }) as { readonly state?: string };
  const navigate = useNavigate();
  const deploy = (
    <Link to="/instances/deploy">
      <Button type="primary" icon={<PlusOutlined />}>
        {text.instances.deploy}
      </Button>
    </Link>
  );
  return (
    <Page title={text.instances.title} actions={deploy}>
      <ListTable<VirtualMachine>
        command="listVirtualMachines"
        label={text.instances.title}
        params={{ state }}
        rowKey={(vm) => vm.id ?? ''}
        empty={text.instances.empty}
        filters={
          <Select
            allowClear
            aria-label={text.instances.state}
            placeholder={text.instances.state}
            style={{ width: 160 }}
            value={state ?? null}
            options={states.map((value) => ({ value, label: value }))}
            onChange={(value: string | null | undefined) =>
              void navigate({
                to: '.',
                search: (old: object) => ({ ...old, state: value ?? undefined, page: 1 }),
                replace: true,
              })
            }
          />
        }
        columns={[
          {
            title: text.instances.name,
            render: (_: unknown, vm) => <Link to={`/instances/${vm.id}`}>{vm.displayname ?? vm.name}</Link>,
          },
          {
            title: text.instances.state,
            render: (_: unknown, vm) => <StateTag state={vm.state ?? 'Unknown'} />,
          },
          { title: text.instances.address, render: (_: unknown, vm) => vm.nic?.[0]?.ipaddress ?? '–' },
          { title: text.instances.template, dataIndex: 'templatename' },
          { title: text.instances.offering, dataIndex: 'serviceofferingname' },
          { title: text.instances.host, render: (_: unknown, vm) => vm.hostname ?? '–' },
          { title: text.instances.created, render: (_: unknown, vm) => formatTime(vm.created) },
        ]}
      />
    </Page>
  );
}
