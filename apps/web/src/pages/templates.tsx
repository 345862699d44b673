import { PlusOutlined } from '@ant-design/icons';
import { Link } from '@tanstack/react-router';
import { Button, Tag } from 'antd';
import type { Template } from '../api/entities.ts';
import type { Session } from '../api/session.ts';
import { text } from '../text/en.ts';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';
import { formatBytes, formatGibibytes, formatTime } from '../ui/quantities.ts';

const t = text.templates;

/** What a user may deploy; an administrator sees everybody's. */
export const templateFilterOf = ({ isAdmin }: Session) => (isAdmin ? 'all' : 'executable');

export function Templates({ session }: { readonly session: Session }) {
  const register = (
    <Link to="/templates/register">
      <Button type="primary" icon={<PlusOutlined />}>
        {t.register}
      </Button>
    </Link>
  );
  return (
    <Page title={t.title} actions={register}>
      <ListTable<Template>
        command="listTemplates"
        label={t.title}
        params={{ templatefilter: templateFilterOf(session) }}
        rowKey={(template) => `${template.id} ${template.zoneid}`}
        empty={t.empty}
        columns={[
          {
            title: t.name,
            render: (_: unknown, template) => <Link to={`/templates/${template.id}`}>{template.name}</Link>,
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
