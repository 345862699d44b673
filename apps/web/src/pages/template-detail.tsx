import { Link, useNavigate } from '@tanstack/react-router';
import { App, Button, Card, Descriptions, Flex, Result, Skeleton, Table, Typography } from 'antd';
import type { Template, VirtualMachine } from '../api/entities.ts';
import { rememberJob } from '../api/jobs.ts';
import { useMay } from '../api/permissions.ts';
import { useAction, useOne, useRows } from '../api/queries.ts';
import type { Session } from '../api/session.ts';
import { text } from '../text/en.ts';
import { AskButton } from '../ui/ask-button.tsx';
import { Failure } from '../ui/failure.tsx';
import { Page } from '../ui/page.tsx';
import { formatBytes, formatGibibytes, formatTime } from '../ui/quantities.ts';
import { StateTag } from '../ui/state-tag.tsx';
import { Tags } from '../ui/tags.tsx';
import { useComplaint } from '../ui/use-complaint.tsx';
import { Download } from './image-download.tsx';
import { type ImageKind, isoKind, templateKind } from './image-kind.ts';
import { Prefetch, TemplateCopies } from './template-copies.tsx';
import { TemplateSources } from './template-sources.tsx';
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
  const may = useMay();
  if (query.error) return <Failure error={query.error} retry={() => void query.refetch()} />;
  if (query.isPending) return <Skeleton active />;
  const template = query.data;
  if (!template)
    return (
      <Result status="404" title={kind.text.gone} extra={<Link to={kind.path}>{kind.text.title}</Link>} />
    );
  const actions = (
    <>
      {template.bootable !== false && may('deployVirtualMachine') && (
        <Link to="/instances/deploy" search={{ templateid: id }}>
          <Button type="primary">{kind.text.deploy}</Button>
        </Link>
      )}
      {may('prepareTemplate') && <Prefetch template={template} />}
      {may(kind.update) && may('listImageStores') && (
        <AskButton
          action={template.directdownload ? t.toStore : t.toDirect}
          command={kind.update}
          params={{ id, directdownload: !template.directdownload }}
          name={template.name ?? id}
        />
      )}
      {may(kind.extract) && (template.isextractable || session.isAdmin) && (
        <Download template={template} kind={kind} />
      )}
      {may(kind.remove) && <Remove template={template} kind={kind} />}
    </>
  );
  return (
    <Page title={template.name ?? id} note={template.displaytext} actions={actions}>
      <Facts template={template} kind={kind} />
      <Card size="small" title={t.copies}>
        <TemplateCopies template={template} />
      </Card>
      {template.url !== undefined && may('probeTemplate') && (
        <Card size="small" title={t.sources}>
          <TemplateSources template={template} kind={kind} />
        </Card>
      )}
      <Card size="small" title={kind.text.instances}>
        <Users id={id} kind={kind} />
      </Card>
    </Page>
  );
}

function Facts({ template, kind }: { readonly template: Template; readonly kind: ImageKind }) {
  const details = Object.entries(template.details ?? {});
  return (
    <Descriptions
      bordered
      size="small"
      column={{ xs: 1, md: 2 }}
      items={[
        { key: 'mode', label: t.mode, children: <Mode direct={template.directdownload ?? false} /> },
        { key: 'status', label: t.status, children: template.status },
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
        {
          key: 'tags',
          label: text.tags.title,
          span: 'filled',
          children: (
            <Tags
              type={kind.key === 'iso' ? 'ISO' : 'Template'}
              id={template.id ?? ''}
              name={template.name ?? ''}
              tags={template.tags}
            />
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

/** How many of the instances are shown here; the page of instances has them all. */
const usersShown = 20;

function Users({ id, kind }: { readonly id: string; readonly kind: ImageKind }) {
  const instances = useRows<VirtualMachine>('listVirtualMachines', {
    listall: true,
    [kind.usersParam]: id,
    page: 1,
    pagesize: usersShown,
  });
  const count = instances.data?.count ?? 0;
  return (
    <Flex vertical gap="small">
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
      {count > usersShown && (
        <Link to="/instances" search={{ [kind.usersParam]: id }}>
          {t.allUsers(count)}
        </Link>
      )}
    </Flex>
  );
}

function Remove({ template, kind }: { readonly template: Template; readonly kind: ImageKind }) {
  const { modal } = App.useApp();
  const complain = useComplaint();
  const remove = useAction(kind.remove);
  const navigate = useNavigate();
  const perform = async () => {
    try {
      const { jobid } = await remove.mutateAsync({ id: template.id });
      if (typeof jobid === 'string')
        rememberJob({ jobid, title: `${t.remove}: ${template.name}`, path: kind.path });
      void navigate({ to: kind.path });
    } catch (error) {
      complain(error);
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
