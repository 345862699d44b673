import { App, Button, Progress } from 'antd';
import type { Host, StoragePool } from '../api/entities.ts';
import { useAction } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';
import { formatBytes, formatGibibytes, formatTime } from '../ui/quantities.ts';
import { StateTag } from '../ui/state-tag.tsx';

export function Hosts() {
  const t = text.hosts;
  return (
    <Page title={t.title}>
      <ListTable<Host>
        command="listHosts"
        label={t.title}
        params={{ type: 'Routing' }}
        rowKey={(host) => host.id ?? ''}
        empty={t.empty}
        columns={[
          { title: t.name, dataIndex: 'name' },
          { title: t.state, render: (_: unknown, { state }) => <StateTag state={state ?? 'Unknown'} /> },
          {
            title: t.resource,
            render: (_: unknown, { resourcestate }) => <StateTag state={resourcestate ?? 'Unknown'} />,
          },
          { title: t.address, dataIndex: 'ipaddress' },
          { title: t.cpus, dataIndex: 'cpunumber' },
          { title: t.load, render: (_: unknown, { cpuloadaverage }) => cpuloadaverage?.toFixed(2) ?? '–' },
          {
            title: t.memory,
            render: (_: unknown, host) => (
              <Share
                used={host.memoryallocatedbytes ?? host.memoryallocated}
                total={host.memorytotal}
                format={formatGibibytes}
                label={`${t.memory}: ${host.name}`}
              />
            ),
          },
          {
            title: t.hypervisor,
            render: (_: unknown, host) => `${host.hypervisor} (${host.virttype ?? '?'})`,
          },
          { title: t.agent, dataIndex: 'version' },
          { title: t.cluster, dataIndex: 'clustername' },
          { title: t.seen, render: (_: unknown, { lastpinged }) => formatTime(lastpinged) },
          { title: t.action, render: (_: unknown, host) => <Allocation host={host} /> },
        ]}
      />
    </Page>
  );
}

/** Whether a host takes new instances; those that run stay. */
function Allocation({ host }: { readonly host: Host }) {
  const { message } = App.useApp();
  const update = useAction('updateHost');
  const enabled = host.resourcestate === 'Enabled';
  const perform = () =>
    update
      .mutateAsync({ id: host.id, allocationstate: enabled ? 'Disable' : 'Enable' })
      .catch((error: unknown) => {
        void message.error(error instanceof Error ? error.message : String(error), 10);
      });
  if (!enabled && host.resourcestate !== 'Disabled') return null;
  const label = enabled ? text.hosts.disable : text.hosts.enable;
  return (
    <Button
      size="small"
      loading={update.isPending}
      onClick={() => void perform()}
      aria-label={`${label}: ${host.name}`}
    >
      {label}
    </Button>
  );
}

export function Pools() {
  const t = text.pools;
  return (
    <Page title={t.title}>
      <ListTable<StoragePool>
        command="listStoragePools"
        label={t.title}
        rowKey={(pool) => pool.id ?? ''}
        empty={t.empty}
        columns={[
          { title: t.name, dataIndex: 'name' },
          { title: t.state, render: (_: unknown, { state }) => <StateTag state={state ?? 'Unknown'} /> },
          { title: t.type, dataIndex: 'type' },
          { title: t.scope, dataIndex: 'scope' },
          { title: t.path, dataIndex: 'path' },
          {
            title: t.used,
            render: (_: unknown, pool) => (
              <Share
                used={pool.disksizeused}
                total={pool.disksizetotal}
                format={formatBytes}
                label={`${t.used}: ${pool.name}`}
              />
            ),
          },
          { title: t.tags, dataIndex: 'tags' },
        ]}
      />
    </Page>
  );
}

function Share(props: {
  readonly used: number | undefined;
  readonly total: number | undefined;
  readonly format: (bytes: number | undefined) => string;
  readonly label: string;
}) {
  const { used = 0, total = 0 } = props;
  return (
    <div style={{ minWidth: 180 }}>
      {text.dashboard.of(props.format(used), props.format(total))}
      <Progress
        size="small"
        showInfo={false}
        aria-label={props.label}
        percent={total === 0 ? 0 : Math.round((100 * used) / total)}
      />
    </div>
  );
}
