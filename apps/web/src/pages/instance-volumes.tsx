import { Flex, Form, Input, InputNumber, Select, Table } from 'antd';
import type { DiskOffering, VirtualMachine, Volume } from '../api/entities.ts';
import { useRows } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { AskButton } from '../ui/ask-button.tsx';
import { FormDialog } from '../ui/form-dialog.tsx';
import { formatBytes, formatGibibytes } from '../ui/quantities.ts';
import { StateTag } from '../ui/state-tag.tsx';

const t = text.instances;
const gib = 1024 ** 3;

/** The disks of an instance, and those that could be attached to it. */
export function InstanceVolumes({ vm }: { readonly vm: VirtualMachine }) {
  const volumes = useRows<Volume>('listVolumes', { virtualmachineid: vm.id });
  return (
    <Flex vertical gap="middle">
      <Flex gap="small" wrap>
        <NewDisk vm={vm} />
        <AttachDisk vm={vm} />
      </Flex>
      <Table<Volume>
        aria-label={t.volumes}
        size="small"
        pagination={false}
        rowKey={(volume) => volume.id ?? ''}
        dataSource={[...(volumes.data?.rows ?? [])]}
        columns={[
          { title: t.name, dataIndex: 'name' },
          {
            title: t.diskKind,
            render: (_: unknown, { type }) => (type === 'ROOT' ? t.rootDisk : t.dataDisk),
          },
          { title: t.state, render: (_: unknown, { state }) => <StateTag state={state ?? 'Unknown'} /> },
          { title: t.size, render: (_: unknown, { size }) => formatGibibytes(size) },
          { title: t.onDisk, render: (_: unknown, { physicalsize }) => formatBytes(physicalsize) },
          { title: t.pool, dataIndex: 'storage' },
          { title: t.diskActions, render: (_: unknown, volume) => <DiskActions vm={vm} volume={volume} /> },
        ]}
      />
    </Flex>
  );
}

function DiskActions({ vm, volume }: { readonly vm: VirtualMachine; readonly volume: Volume }) {
  const { id, name = '', size = 0 } = volume;
  const jobPath = `/instances/${vm.id}`;
  return (
    <Flex gap="small">
      <FormDialog<{ readonly size?: number }>
        title={t.grow}
        label={`${t.grow}: ${name}`}
        command="resizeVolume"
        initial={{ size: Math.ceil(size / gib) + 1 }}
        params={(fields) => ({ id, size: fields.size })}
        jobPath={jobPath}
      >
        <Form.Item name="size" label={text.deploy.diskGigabytes}>
          <InputNumber min={Math.max(1, Math.ceil(size / gib))} />
        </Form.Item>
      </FormDialog>
      {volume.type !== 'ROOT' && (
        <AskButton action={t.unplug} command="detachVolume" params={{ id }} name={name} jobPath={jobPath} />
      )}
    </Flex>
  );
}

function NewDisk({ vm }: { readonly vm: VirtualMachine }) {
  const offerings = useRows<DiskOffering>('listDiskOfferings', {}, { live: false });
  const rows = offerings.data?.rows ?? [];
  const custom = (id: string | undefined) => rows.find((row) => row.id === id)?.iscustomized === true;
  return (
    <FormDialog<{ readonly diskofferingid?: string; readonly size?: number; readonly name?: string }>
      primary
      title={t.newDisk}
      command="createVolume"
      params={({ size, ...fields }) => ({
        ...fields,
        virtualmachineid: vm.id,
        ...(custom(fields.diskofferingid) ? { size } : {}),
      })}
      jobPath={`/instances/${vm.id}`}
    >
      <Form.Item name="name" label={t.name}>
        <Input spellCheck={false} />
      </Form.Item>
      <Form.Item
        name="diskofferingid"
        label={t.offering}
        rules={[{ required: true, message: text.deploy.required }]}
      >
        <Select options={rows.map((row) => ({ value: row.id ?? '', label: row.displaytext }))} />
      </Form.Item>
      <Form.Item noStyle shouldUpdate>
        {({ getFieldValue }) =>
          custom(getFieldValue('diskofferingid') as string | undefined) && (
            <Form.Item
              name="size"
              label={text.deploy.diskGigabytes}
              rules={[{ required: true, message: text.register.required }]}
            >
              <InputNumber min={1} />
            </Form.Item>
          )
        }
      </Form.Item>
    </FormDialog>
  );
}

function AttachDisk({ vm }: { readonly vm: VirtualMachine }) {
  const volumes = useRows<Volume>('listVolumes', {
    type: 'DATADISK',
    zoneid: vm.zoneid,
    page: 1,
    pagesize: 500,
  });
  const free = (volumes.data?.rows ?? []).filter((volume) => volume.virtualmachineid === undefined);
  if (free.length === 0) return null;
  return (
    <FormDialog<{ readonly id?: string }>
      primary
      title={t.attachDisk}
      command="attachVolume"
      params={({ id }) => ({ id, virtualmachineid: vm.id })}
      jobPath={`/instances/${vm.id}`}
    >
      <Form.Item name="id" label={t.dataDisk} rules={[{ required: true, message: text.deploy.required }]}>
        <Select
          options={free.map(({ id, name, size }) => ({
            value: id ?? '',
            label: `${name} (${formatGibibytes(size)})`,
          }))}
        />
      </Form.Item>
    </FormDialog>
  );
}
