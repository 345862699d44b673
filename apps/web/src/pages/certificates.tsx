import { Form, Input, Select } from 'antd';
import type { Certificate, Zone } from '../api/entities.ts';
import { useRows } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { AskButton } from '../ui/ask-button.tsx';
import { FormDialog } from '../ui/form-dialog.tsx';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';

const t = text.certificates;
const required = [{ required: true, message: text.register.required }];

/** Certificates that https sources of images may be signed by. */
export function Certificates() {
  return (
    <Page title={t.title} note={t.note} actions={<Upload />}>
      <ListTable<Certificate>
        command="listTemplateDirectDownloadCertificates"
        label={t.title}
        rowKey={(certificate) => certificate.id ?? ''}
        empty={t.empty}
        columns={[
          { title: t.name, dataIndex: 'alias' },
          { title: t.subject, dataIndex: 'subject' },
          { title: t.issuer, dataIndex: 'issuer' },
          { title: t.validity, dataIndex: 'validity' },
          { title: text.instances.zone, dataIndex: 'zonename' },
          {
            title: text.keys.action,
            render: (_: unknown, { id, zoneid, alias = '' }) => (
              <AskButton
                action={t.revoke}
                command="revokeTemplateDirectDownloadCertificate"
                params={{ id, zoneid }}
                name={alias}
                warning={t.revokeNote}
              />
            ),
          },
        ]}
      />
    </Page>
  );
}

function Upload() {
  const zones = useRows<Zone>('listZones', {}, { live: false });
  const rows = zones.data?.rows ?? [];
  const only = rows[0]?.id;
  if (only === undefined) return null;
  return (
    <FormDialog<{ readonly name?: string; readonly certificate?: string; readonly zoneid?: string }>
      primary
      title={t.upload}
      command="uploadTemplateDirectDownloadCertificate"
      initial={{ zoneid: only }}
      params={(fields) => ({ ...fields, hypervisor: 'KVM' })}
    >
      <Form.Item name="name" label={t.name} rules={required}>
        <Input autoFocus spellCheck={false} />
      </Form.Item>
      <Form.Item name="certificate" label={t.certificate} extra={t.certificateNote} rules={required}>
        <Input.TextArea rows={6} spellCheck={false} placeholder="-----BEGIN CERTIFICATE-----" />
      </Form.Item>
      <Form.Item name="zoneid" label={text.instances.zone}>
        <Select options={rows.map(({ id, name }) => ({ value: id ?? '', label: name }))} />
      </Form.Item>
    </FormDialog>
  );
}
