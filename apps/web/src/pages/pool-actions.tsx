import { Flex, Form, Input, Select } from 'antd';
import type { StoragePool, Zone } from '../api/entities.ts';
import { useRows } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { AskButton } from '../ui/ask-button.tsx';
import { FormDialog } from '../ui/form-dialog.tsx';

const t = text.pools;

interface NewPool {
  readonly name?: string;
  readonly url?: string;
  readonly zoneid?: string;
  readonly scope?: string;
  readonly tags?: string;
}

export function AddPool() {
  const zones = useRows<Zone>('listZones', {}, { live: false });
  const rows = zones.data?.rows ?? [];
  const only = rows[0]?.id;
  const required = [{ required: true, message: text.register.required }];
  if (only === undefined) return null;
  return (
    <FormDialog<NewPool>
      primary
      title={t.add}
      command="createStoragePool"
      initial={{ zoneid: only, scope: 'zone' }}
      params={(fields) => ({ ...fields })}
    >
      <Form.Item name="name" label={t.name} rules={required}>
        <Input autoFocus spellCheck={false} />
      </Form.Item>
      <Form.Item name="url" label={t.url} extra={t.urlNote} rules={required}>
        <Input spellCheck={false} placeholder="nfs://10.0.0.5/primary" />
      </Form.Item>
      <Form.Item name="zoneid" label={text.instances.zone}>
        <Select options={rows.map(({ id, name }) => ({ value: id ?? '', label: name }))} />
      </Form.Item>
      <Form.Item name="scope" label={t.scope}>
        <Select options={['zone', 'cluster'].map((value) => ({ value, label: value }))} />
      </Form.Item>
      <Form.Item name="tags" label={t.tags} extra={t.tagsNote}>
        <Input spellCheck={false} />
      </Form.Item>
    </FormDialog>
  );
}

export function PoolActions({ pool }: { readonly pool: StoragePool }) {
  const { id, name = '', state } = pool;
  return (
    <Flex gap="small" wrap>
      {state === 'Up' && (
        <AskButton
          action={text.hosts.disable}
          command="updateStoragePool"
          params={{ id, enabled: false }}
          name={name}
        />
      )}
      {state === 'Disabled' && (
        <AskButton
          action={text.hosts.enable}
          command="updateStoragePool"
          params={{ id, enabled: true }}
          name={name}
        />
      )}
      {state === 'Up' && (
        <AskButton
          action={t.maintain}
          command="enableStorageMaintenance"
          params={{ id }}
          name={name}
          warning={t.maintainNote}
        />
      )}
      {['Maintenance', 'PrepareForMaintenance', 'ErrorInMaintenance'].includes(state ?? '') && (
        <AskButton action={t.endMaintenance} command="cancelStorageMaintenance" params={{ id }} name={name} />
      )}
      {pool.scope !== 'HOST' && (
        <AskButton
          action={text.hosts.remove}
          command="deleteStoragePool"
          params={{ id, forced: true }}
          name={name}
          warning={t.removeNote}
        />
      )}
    </Flex>
  );
}
