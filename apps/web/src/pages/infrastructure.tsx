import type { Host, StoragePool } from '../api/entities.ts';
import { text } from '../text/en.ts';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';
import { formatBytes, formatGibibytes, formatTime } from '../ui/quantities.ts';
import { Share } from '../ui/share.tsx';
import { StateTag } from '../ui/state-tag.tsx';
import { AddHost, HostActions } from './host-actions.tsx';
import { AddPool, PoolActions } from './pool-actions.tsx';

export function Hosts() {
  const t = text.hosts;
  return (
    <Page title={t.title} actions={<AddHost />}>
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
                plain
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
          { title: t.action, render: (_: unknown, host) => <HostActions host={host} /> },
        ]}
      />
    </Page>
  );
}

export function Pools() {
  const t = text.pools;
  return (
    <Page title={t.title} actions={<AddPool />}>
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
                plain
                used={pool.disksizeused}
                total={pool.disksizetotal}
                format={formatBytes}
                label={`${t.used}: ${pool.name}`}
              />
            ),
          },
          { title: t.tags, dataIndex: 'tags' },
          { title: text.keys.action, render: (_: unknown, pool) => <PoolActions pool={pool} /> },
        ]}
      />
    </Page>
  );
}
