import { Form, Input, Typography } from 'antd';
import { isObject } from '../api/call.ts';
import type { SshKeyPair } from '../api/entities.ts';
import { text } from '../text/en.ts';
import { AskButton } from '../ui/ask-button.tsx';
import { FormDialog } from '../ui/form-dialog.tsx';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';

const t = text.keys;
const required = [{ required: true, message: text.register.required }];

/** Keys that instances are deployed with. */
export function SshKeys() {
  const actions = (
    <>
      <FormDialog<{ readonly name?: string; readonly publickey?: string }>
        primary
        title={t.register}
        command="registerSSHKeyPair"
        params={(fields) => ({ ...fields })}
      >
        <Form.Item name="name" label={t.name} rules={required}>
          <Input autoFocus spellCheck={false} />
        </Form.Item>
        <Form.Item name="publickey" label={t.publicKey} extra={t.publicKeyNote} rules={required}>
          <Input.TextArea rows={3} spellCheck={false} placeholder="ssh-ed25519 AAAA… me@laptop" />
        </Form.Item>
      </FormDialog>
      <FormDialog<{ readonly name?: string }>
        primary
        title={t.create}
        command="createSSHKeyPair"
        params={(fields) => ({ ...fields })}
        answer={({ keypair }) => (
          <>
            <Typography.Paragraph>{t.once}</Typography.Paragraph>
            <Typography.Paragraph code copyable className="prose">
              {isObject(keypair) ? String(keypair['privatekey'] ?? '') : ''}
            </Typography.Paragraph>
          </>
        )}
      >
        <Form.Item name="name" label={t.name} rules={required}>
          <Input autoFocus spellCheck={false} />
        </Form.Item>
      </FormDialog>
    </>
  );
  return (
    <Page title={t.title} note={t.note} actions={actions}>
      <ListTable<SshKeyPair>
        command="listSSHKeyPairs"
        label={t.title}
        rowKey={(key) => key.id ?? key.name ?? ''}
        empty={t.empty}
        columns={[
          { title: t.name, dataIndex: 'name' },
          { title: t.fingerprint, dataIndex: 'fingerprint' },
          { title: text.instances.account, dataIndex: 'account' },
          {
            title: t.action,
            render: (_: unknown, { name = '' }) => (
              <AskButton
                action={text.hosts.remove}
                command="deleteSSHKeyPair"
                params={{ name }}
                name={name}
                warning={t.removeNote}
              />
            ),
          },
        ]}
      />
    </Page>
  );
}
