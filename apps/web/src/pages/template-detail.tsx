import { Link, useNavigate } from '@tanstack/react-router';
import { App, Button, Card, Descriptions, Progress, Result, Skeleton, Table, Typography } from 'antd';
import { isObject } from '../api/call.ts';
import type { Template, VirtualMachine } from '../api/entities.ts';
import { rememberJob } from '../api/jobs.ts';
import { useAction, useOne, useRows } from '../api/queries.ts';
import type { Session } from '../api/session.ts';
import { text } from '../text/en.ts';
import { AskButton } from '../ui/ask-button.tsx';
import { Failure } from '../ui/failure.tsx';
import { Page } from '../ui/page.tsx';
import { formatBytes, formatGibibytes, formatTime } from '../ui/quantities.ts';
import { StateTag } from '../ui/state-tag.tsx';
import { type ImageKind, isoKind, templateKind } from './image-kind.ts';
import { Mode } from './templates.tsx';

const t = text.templates;

interface DetailProps {
  readonly id: string;
  readonly session: Session;
}

export const TemplateDetail = (props: DetailProps) => <ImageDetail {...props} kind={templateKind} />;
export const IsoDetail = (props: DetailProps) => <ImageDetail {...props} kind={isoKind} />;

function ImageDetail({ id, session, kind }: DetailProps & { readonly kind: ImageKind }) {
  const query = useOne<Template>(kind.list, id, kind.filter(session));
  if (query.error) return <Failure error={query.error} retry={() => void query.refetch()} />;
  if (query.isPending) return <Skeleton active />;
  const template = query.data;
  if (!template)
    return (
      <Result status="404" title={kind.text.gone} extra={<Link to={kind.path}>{kind.text.title}</Link>} />
    );
  const actions = (
    <>
      {template.bootable !== false && (
        <Link to="/instances/deploy" search={{ templateid: id }}>
          <Button type="primary">{kind.text.deploy}</Button>
        </Link>
      )}
      {session.isAdmin && <Prefetch template={template} />}
      <Remove template={template} kind={kind} />
    </>
  );
  return (
    <Page title={template.name ?? id} note={template.displaytext} actions={actions}>
      <Facts template={template} />
      <Card size="small" title={t.copies}>
        <Copies template={template} />
      </Card>
      <Card size="small" title={kind.text.instances}>
        <Users id={id} kind={kind} />
      </Card>
    </Page>
  );
}

function Facts({ template }: { readonly template: Template }) {
  const details = Object.entries(template.details ?? {});
  return (
    <Descriptions
      bordered
      size="small"
      column={{ xs: 1, md: 2 }}
      items={[
        { key: 'mode', label: t.mode, children: <Mode direct={template.directdownload ?? false} /> },
        { key: 'format', label: t.format, children: template.format },
        { key: 'size', label: t.size, children: formatGibibytes(template.size) },
        { key: 'transfer', label: t.transfer, children: formatBytes(template.physicalsize) },
        { key: 'os', label: t.osType, children: template.ostypename },
        { key: 'zone', label: t.zone, children: template.zonename },
        { key: 'owner', label: t.owner, children: template.account },
        { key: 'created', label: t.created, children: formatTime(template.created) },
        {
          key: 'url',
          label: t.url,
          span: 'filled',
          children: <Typography.Text className="prose">{template.url ?? '–'}</Typography.Text>,
        },
        {
          key: 'checksum',
          label: t.checksum,
          span: 'filled',
          children: (
            <Typography.Text code={template.checksum !== undefined}>
              {template.checksum ?? t.noChecksum}
            </Typography.Text>
          ),
        },
        ...(details.length > 0
          ? [
              {
                key: 'details',
                label: t.details,
                span: 'filled' as const,
                children: details.map(([name, value]) => <div key={name}>{`${name}: ${value}`}</div>),
              },
            ]
          : []),
      ]}
    />
  );
}

interface Copy {
  readonly pool: string;
  /** Told to admins alone. */
  readonly poolId: string | undefined;
  readonly percent: number;
  readonly state: string;
}

/** A row of `downloaddetails`, in CloudStack's spelling. */
function copyOf(value: unknown): Copy[] {
  if (!isObject(value)) return [];
  const { datastore, datastoreId, downloadPercent, downloadState } = value;
  const percent = Number(downloadPercent ?? 0);
  const poolId = typeof datastoreId === 'string' ? datastoreId : undefined;
  return [{ pool: String(datastore ?? ''), poolId, percent, state: stateWord(String(downloadState ?? '')) }];
}

function stateWord(state: string): string {
  const words: Readonly<Record<string, string>> = {
    DOWNLOADED: 'verified',
    DOWNLOAD_IN_PROGRESS: 'arriving',
    DOWNLOAD_ERROR: 'failed',
    NOT_DOWNLOADED: 'absent',
    BYPASSED: 'absent',
  };
  return words[state] ?? state;
}

function Copies({ template }: { readonly template: Template }) {
  const copies = (template.downloaddetails ?? []).flatMap(copyOf);
  return (
    <Table<Copy>
      aria-label={t.copies}
      size="small"
      pagination={false}
      rowKey={(copy) => copy.pool}
      dataSource={copies}
      locale={{ emptyText: t.noCopies }}
      columns={[
        { title: t.pool, dataIndex: 'pool' },
        { title: t.state, render: (_: unknown, { state }) => <StateTag state={state} /> },
        {
          title: t.percent,
          width: '40%',
          render: (_: unknown, { percent, pool }) => (
            <Progress percent={percent} size="small" aria-label={`${t.percent}: ${pool}`} />
          ),
        },
        ...(copies.some(({ poolId }) => poolId !== undefined)
          ? [
              {
                title: t.action,
                render: (_: unknown, copy: Copy) => <Evict template={template} copy={copy} />,
              },
            ]
          : []),
      ]}
    />
  );
}

/** Why a copy cannot go (a disk on it, say) is the server's to know and to say. */
function Evict({ template, copy }: { readonly template: Template; readonly copy: Copy }) {
  if (copy.poolId === undefined || copy.state === 'arriving') return null;
  return (
    <AskButton
      action={t.evict}
      command="evictTemplate"
      params={{ templateid: template.id, storageid: copy.poolId }}
      name={copy.pool}
      warning={t.evictNote}
    />
  );
}

function Users({ id, kind }: { readonly id: string; readonly kind: ImageKind }) {
  const instances = useRows<VirtualMachine>('listVirtualMachines', {
    [kind.usersParam]: id,
    page: 1,
    pagesize: 50,
  });
  return (
    <Table<VirtualMachine>
      aria-label={kind.text.instances}
      size="small"
      pagination={false}
      rowKey={(vm) => vm.id ?? ''}
      dataSource={[...(instances.data?.rows ?? [])]}
      locale={{ emptyText: text.instances.empty }}
      columns={[
        {
          title: text.instances.name,
          render: (_: unknown, vm) => <Link to={`/instances/${vm.id}`}>{vm.displayname ?? vm.name}</Link>,
        },
        {
          title: text.instances.state,
          render: (_: unknown, { state }) => <StateTag state={state ?? 'Unknown'} />,
        },
        { title: text.instances.host, render: (_: unknown, { hostname }) => hostname ?? '–' },
      ]}
    />
  );
}

function Prefetch({ template }: { readonly template: Template }) {
  const { message } = App.useApp();
  const prepare = useAction('prepareTemplate');
  const perform = async () => {
    try {
      const answer = await prepare.mutateAsync({ templateid: template.id, zoneid: template.zoneid });
      const [row] = Array.isArray(answer['template']) ? answer['template'].filter(isObject) : [];
      const jobid = row?.['jobid'];
      if (typeof jobid === 'string')
        rememberJob({ jobid, title: `${t.prefetch}: ${template.name}`, path: `/jobs/${jobid}` });
      void message.success(t.prefetching);
    } catch (error) {
      void message.error(error instanceof Error ? error.message : String(error), 10);
    }
  };
  return (
    <Button onClick={() => void perform()} loading={prepare.isPending} title={t.prefetchNote}>
      {t.prefetch}
    </Button>
  );
}

function Remove({ template, kind }: { readonly template: Template; readonly kind: ImageKind }) {
  const { modal, message } = App.useApp();
  const remove = useAction(kind.remove);
  const navigate = useNavigate();
  const perform = async () => {
    try {
      const { jobid } = await remove.mutateAsync({ id: template.id });
      if (typeof jobid === 'string')
        rememberJob({ jobid, title: `${t.remove}: ${template.name}`, path: kind.path });
      void navigate({ to: kind.path });
    } catch (error) {
      void message.error(error instanceof Error ? error.message : String(error), 10);
    }
  };
  const ask = () =>
    modal.confirm({
      title: text.instances.sure(t.remove, template.name ?? ''),
      content: kind.text.removeNote,
      okText: t.remove,
      okButtonProps: { danger: true },
      cancelText: text.instances.cancel,
      onOk: perform,
    });
  return (
    <Button danger onClick={ask} loading={remove.isPending}>
      {t.remove}
    </Button>
  );
}
