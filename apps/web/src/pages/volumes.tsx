import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { Select } from 'antd';
import type { Volume } from '../api/entities.ts';
import { useMay } from '../api/permissions.ts';
import { text } from '../text/en.ts';
import { BulkAction } from '../ui/bulk-action.tsx';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';
import { formatBytes, formatGibibytes, formatTime } from '../ui/quantities.ts';
import { StateTag } from '../ui/state-tag.tsx';
import { Tags } from '../ui/tags.tsx';

const t = text.volumes;

/** The disks of instances, and those that wait for one. */
export function Volumes() {
  const may = useMay();
  const { type } = useSearch({ strict: false }) as { readonly type?: string };
  const navigate = useNavigate();
  return (
    <Page title={t.title} note={t.note}>
      <ListTable<Volume>
        command="listVolumes"
        label={t.title}
        params={{ listall: true, type }}
        rowKey={({ id }) => id ?? ''}
        empty={t.empty}
        filters={
          <Select
            allowClear
            aria-label={text.instances.diskKind}
            placeholder={text.instances.diskKind}
            style={{ width: 150 }}
            value={type ?? null}
            options={[
              { value: 'ROOT', label: text.instances.rootDisk },
              { value: 'DATADISK', label: text.instances.dataDisk },
            ]}
            onChange={(value: string | null | undefined) =>
              void navigate({
                to: '.',
                search: (old: object) => ({ ...old, type: value ?? undefined, page: 1 }),
                replace: true,
              })
            }
          />
        }
        bulk={(rows, done) =>
          may('deleteVolume') && (
            <BulkAction
              action={text.hosts.remove}
              command="deleteVolume"
              warning={t.removeNote}
              done={done}
              targets={rows
                .filter((row) => row.type !== 'ROOT' && row.virtualmachineid === undefined)
                .map(({ id, name = '' }) => ({ name, params: { id }, path: '/volumes' }))}
            />
          )
        }
        columns={[
          { title: t.name, dataIndex: 'name' },
          {
            title: text.instances.diskKind,
            render: (_: unknown, row) =>
              row.type === 'ROOT' ? text.instances.rootDisk : text.instances.dataDisk,
          },
          { title: t.state, render: (_: unknown, { state }) => <StateTag state={state ?? 'Unknown'} /> },
          { title: t.size, render: (_: unknown, { size }) => formatGibibytes(size) },
          {
            title: t.onDisk,
            optional: true,
            render: (_: unknown, { physicalsize }) => formatBytes(physicalsize),
          },
          {
            title: t.instance,
            render: (_: unknown, { virtualmachineid, vmname }) =>
              virtualmachineid ? <Link to={`/instances/${virtualmachineid}`}>{vmname}</Link> : t.free,
          },
          { title: t.pool, render: (_: unknown, { storage }) => storage ?? '–' },
          { title: t.account, dataIndex: 'account', optional: true },
          { title: t.created, optional: true, render: (_: unknown, { created }) => formatTime(created) },
          {
            title: text.tags.title,
            render: (_: unknown, { id, name, tags }) => (
              <Tags type="Volume" id={id ?? ''} name={name ?? ''} tags={tags} />
            ),
          },
        ]}
      />
    </Page>
  );
}
