import { PlusOutlined } from '@ant-design/icons';
import { Link } from '@tanstack/react-router';
import { Button, Tag } from 'antd';
import type { Template } from '../api/entities.ts';
import type { Session } from '../api/session.ts';
import { text } from '../text/en.ts';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';
import { formatBytes, formatGibibytes, formatTime } from '../ui/quantities.ts';
import { type ImageKind, isoKind, templateKind } from './image-kind.ts';

const t = text.templates;

export const Templates = (props: { readonly session: Session }) => <Images {...props} kind={templateKind} />;
export const Isos = (props: { readonly session: Session }) => <Images {...props} kind={isoKind} />;

function Images({ session, kind }: { readonly session: Session; readonly kind: ImageKind }) {
  const register = (
    <Link to={`${kind.path}/register`}>
      <Button type="primary" icon={<PlusOutlined />}>
        {kind.text.register}
      </Button>
    </Link>
  );
  return (
    <Page title={kind.text.title} actions={register}>
      <ListTable<Template>
        command={kind.list}
        label={kind.text.title}
        params={kind.filter(session)}
        rowKey={(image) => `${image.id} ${image.zoneid}`}
        empty={kind.text.empty}
        columns={[
          {
            title: t.name,
            render: (_: unknown, image) => <Link to={`${kind.path}/${image.id}`}>{image.name}</Link>,
          },
          {
            title: t.mode,
            render: (_: unknown, { directdownload }) => <Mode direct={directdownload ?? false} />,
          },
          { title: t.format, dataIndex: 'format' },
          { title: t.size, render: (_: unknown, { size }) => formatGibibytes(size) },
          { title: t.transfer, render: (_: unknown, { physicalsize }) => formatBytes(physicalsize) },
          { title: t.osType, dataIndex: 'ostypename' },
          { title: t.zone, dataIndex: 'zonename' },
          { title: t.owner, dataIndex: 'account' },
          { title: t.created, render: (_: unknown, { created }) => formatTime(created) },
        ]}
      />
    </Page>
  );
}

export function Mode({ direct }: { readonly direct: boolean }) {
  return <Tag color={direct ? 'blue' : 'default'}>{direct ? t.direct : t.staged}</Tag>;
}
