import { Form, Input, InputNumber, Select } from 'antd';
import type { ServiceOffering } from '../api/entities.ts';
import { text } from '../text/en.ts';
import { AskButton } from '../ui/ask-button.tsx';
import { FormDialog } from '../ui/form-dialog.tsx';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';
import { formatGibibytes } from '../ui/quantities.ts';

const t = text.offerings;
const required = [{ required: true, message: text.register.required }];

interface Fields {
  readonly name?: string;
  readonly cpunumber?: number;
  readonly cpuspeed?: number;
  readonly memory?: number;
  readonly storagetype?: string;
  readonly tags?: string;
  readonly hosttags?: string;
}

/** How large instances are, and where they may run. */
export function Offerings() {
  return (
    <Page title={t.title} note={t.note} actions={<NewOffering />}>
      <ListTable<ServiceOffering>
        command="listServiceOfferings"
        label={t.title}
        rowKey={(offering) => offering.id ?? ''}
        columns={[
          { title: t.name, dataIndex: 'name' },
          { title: t.cpus, dataIndex: 'cpunumber' },
          { title: t.speed, dataIndex: 'cpuspeed' },
          { title: t.memory, render: (_: unknown, { memory = 0 }) => formatGibibytes(memory * 1024 ** 2) },
          { title: t.storage, dataIndex: 'storagetype' },
          { title: t.storageTags, dataIndex: 'storagetags' },
          { title: t.hostTags, dataIndex: 'hosttags' },
          {
            title: text.keys.action,
            render: (_: unknown, { id, name = '' }) => (
              <AskButton
                action={text.accounts.remove}
                command="deleteServiceOffering"
                params={{ id }}
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

function NewOffering() {
  return (
    <FormDialog<Fields>
      primary
      title={t.create}
      command="createServiceOffering"
      initial={{ cpunumber: 1, cpuspeed: 1000, memory: 1024, storagetype: 'shared' }}
      params={(fields) => ({ ...fields, displaytext: fields.name })}
    >
      <Form.Item name="name" label={t.name} rules={required}>
        <Input autoFocus />
      </Form.Item>
      <Form.Item name="cpunumber" label={t.cpus} rules={required}>
        <InputNumber min={1} />
      </Form.Item>
      <Form.Item name="cpuspeed" label={t.speed} extra={t.speedNote} rules={required}>
        <InputNumber min={1} />
      </Form.Item>
      <Form.Item name="memory" label={t.memoryMiB} rules={required}>
        <InputNumber min={16} />
      </Form.Item>
      <Form.Item name="storagetype" label={t.storage} rules={required}>
        <Select
          options={[
            { value: 'shared', label: t.anyPool },
            { value: 'local', label: t.localPool },
          ]}
        />
      </Form.Item>
      <Form.Item name="tags" label={t.storageTags} extra={t.tagsNote}>
        <Input spellCheck={false} />
      </Form.Item>
      <Form.Item name="hosttags" label={t.hostTags} extra={t.tagsNote}>
        <Input spellCheck={false} />
      </Form.Item>
    </FormDialog>
  );
}
