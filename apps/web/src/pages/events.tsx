import type { ApiEvent } from '../api/entities.ts';
import { text } from '../text/en.ts';
import type { ListColumn } from '../ui/list-columns.tsx';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';
import { formatTime } from '../ui/quantities.ts';
import { StateTag } from '../ui/state-tag.tsx';

const t = text.events;

export const eventColumns: readonly ListColumn<ApiEvent>[] = [
  { title: t.time, render: (_: unknown, { created }) => formatTime(created) },
  { title: t.level, render: (_: unknown, { level }) => <StateTag state={level ?? 'INFO'} /> },
  { title: t.type, dataIndex: 'type' },
  {
    title: t.description,
    render: (_: unknown, { description }) => <span className="prose">{description}</span>,
  },
  { title: t.user, dataIndex: 'username' },
];

export function Events() {
  return (
    <Page title={t.title} note={text.timeZone(Intl.DateTimeFormat().resolvedOptions().timeZone)}>
      <ListTable<ApiEvent>
        command="listEvents"
        params={{ listall: true }}
        label={t.title}
        rowKey={(event) => event.id ?? ''}
        empty={t.empty}
        columns={eventColumns}
      />
    </Page>
  );
}
