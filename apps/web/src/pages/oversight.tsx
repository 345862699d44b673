import type { Alert, Capacity } from '../api/entities.ts';
import { useMay } from '../api/permissions.ts';
import { text } from '../text/en.ts';
import { AskButton } from '../ui/ask-button.tsx';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';
import { formatTime } from '../ui/quantities.ts';
import { Share } from '../ui/share.tsx';
import { kindOfCapacity } from './capacity-kinds.ts';

/** What there is and what is in use, by kind and cluster. */
export function CapacityPage() {
  const t = text.capacity;
  return (
    <Page title={t.title} note={t.note}>
      <ListTable<Capacity>
        command="listCapacity"
        label={t.title}
        searchable={false}
        rowKey={(row) => `${row.type} ${row.zoneid} ${row.podid} ${row.clusterid}`}
        columns={[
          { title: t.kind, render: (_: unknown, row) => kindOfCapacity(row).name },
          {
            title: t.used,
            sortBy: 'usage',
            render: (_: unknown, row) => {
              const { name, format } = kindOfCapacity(row);
              const label = `${name}: ${row.clustername ?? row.zonename}`;
              return (
                <Share
                  plain
                  label={label}
                  used={row.capacityused}
                  total={row.capacitytotal}
                  format={format}
                />
              );
            },
          },
          { title: t.percent, render: (_: unknown, { percentused }) => `${percentused} %` },
          { title: t.zone, dataIndex: 'zonename' },
          { title: t.pod, render: (_: unknown, { podname }) => podname ?? '–' },
          { title: t.cluster, render: (_: unknown, { clustername }) => clustername ?? '–' },
        ]}
      />
    </Page>
  );
}

/** What operators should see. */
export function Alerts() {
  const t = text.alerts;
  const may = useMay();
  return (
    <Page title={t.title} note={t.note}>
      <ListTable<Alert>
        command="listAlerts"
        label={t.title}
        rowKey={({ id }) => id ?? ''}
        empty={t.empty}
        bulk={(rows) => {
          const ids = rows.map(({ id }) => id).join(',');
          const name = text.list.selected(rows.length);
          return (
            <>
              {may('archiveAlerts') && (
                <AskButton action={t.archive} command="archiveAlerts" params={{ ids }} name={name} />
              )}
              {may('deleteAlerts') && (
                <AskButton
                  action={text.hosts.remove}
                  command="deleteAlerts"
                  params={{ ids }}
                  name={name}
                  warning={t.removeNote}
                />
              )}
            </>
          );
        }}
        columns={[
          { title: text.events.time, render: (_: unknown, { sent }) => formatTime(sent) },
          { title: text.events.type, dataIndex: 'name' },
          {
            title: text.events.description,
            render: (_: unknown, { description }) => <span className="prose">{description}</span>,
          },
          {
            title: text.keys.action,
            render: (_: unknown, { id, name = '' }) =>
              may('archiveAlerts') && (
                <AskButton action={t.archive} command="archiveAlerts" params={{ ids: id }} name={name} />
              ),
          },
        ]}
      />
    </Page>
  );
}
