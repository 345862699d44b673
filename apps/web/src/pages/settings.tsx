import { App, Button, Flex, Form, Input, Modal, Typography } from 'antd';
import { useState } from 'react';
import type { Configuration } from '../api/entities.ts';
import { useAction } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { Failure } from '../ui/failure.tsx';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';

const t = text.settings;

export function Settings() {
  const [edited, setEdited] = useState<Configuration>();
  return (
    <Page title={t.title}>
      <ListTable<Configuration>
        command="listConfigurations"
        label={t.title}
        rowKey={(setting) => setting.name ?? ''}
        columns={[
          {
            title: t.name,
            render: (_: unknown, { name }) => <Typography.Text strong>{name}</Typography.Text>,
          },
          {
            title: t.value,
            render: (_: unknown, setting) => (
              <Flex gap="small" align="center">
                <Typography.Text code>{setting.value === '' ? '–' : setting.value}</Typography.Text>
                <Button
                  size="small"
                  onClick={() => setEdited(setting)}
                  aria-label={`${t.edit}: ${setting.name}`}
                >
                  {t.edit}
                </Button>
              </Flex>
            ),
          },
          { title: t.default, dataIndex: 'defaultvalue' },
          {
            title: t.description,
            render: (_: unknown, { description }) => <span className="prose">{description}</span>,
          },
        ]}
      />
      {edited && <Edit setting={edited} onClose={() => setEdited(undefined)} />}
    </Page>
  );
}

function Edit({ setting, onClose }: { readonly setting: Configuration; readonly onClose: () => void }) {
  const { message } = App.useApp();
  const update = useAction('updateConfiguration');
  const [form] = Form.useForm<{ value: string }>();
  const save = async ({ value }: { value: string }) => {
    try {
      await update.mutateAsync({ name: setting.name, value });
      void message.success(t.changed(setting.name ?? ''));
      onClose();
    } catch {
      // shown in the dialog
    }
  };
  return (
    <Modal
      open
      title={setting.name}
      okText={t.save}
      cancelText={text.instances.cancel}
      confirmLoading={update.isPending}
      onOk={() => form.submit()}
      onCancel={onClose}
    >
      <Typography.Paragraph>{setting.description}</Typography.Paragraph>
      <Form form={form} layout="vertical" onFinish={save} initialValues={{ value: setting.value }}>
        <Form.Item name="value" label={t.value}>
          <Input autoFocus spellCheck={false} />
        </Form.Item>
      </Form>
      <Failure error={update.error} />
    </Modal>
  );
}
