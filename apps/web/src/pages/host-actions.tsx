import { Flex, Form, Input, Select, Typography } from 'antd';
import { isObject } from '../api/call.ts';
import type { Host, Pod } from '../api/entities.ts';
import { useRows } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { AskButton } from '../ui/ask-button.tsx';
import { FormDialog } from '../ui/form-dialog.tsx';

const t = text.hosts;

interface NewHost {
  readonly url?: string;
  readonly podid?: string;
}

/** The server makes a place for the host; the machine itself comes, by the command that the answer shows. */
export function AddHost() {
  const pods = useRows<Pod>('listPods', {}, { live: false });
  const rows = pods.data?.rows ?? [];
  const only = rows[0]?.id;
  if (only === undefined) return null;
  return (
    <FormDialog<NewHost>
      primary
      title={t.add}
      command="addHost"
      initial={{ podid: only }}
      params={({ url, podid }) => ({
        url,
        podid,
        zoneid: rows.find(({ id }) => id === podid)?.zoneid,
        hypervisor: 'KVM',
      })}
      answer={({ host }) => {
        const [row] = Array.isArray(host) ? host.filter(isObject) : [];
        return (
          <>
            <Typography.Paragraph>{t.joinNote}</Typography.Paragraph>
            <Typography.Paragraph code copyable className="prose">
              {`sudo ${String(row?.['joincommand'] ?? '')}`}
            </Typography.Paragraph>
          </>
        );
      }}
    >
      <Form.Item
        name="url"
        label={t.name}
        extra={t.addNote}
        rules={[{ required: true, message: text.register.required }]}
      >
        <Input autoFocus spellCheck={false} placeholder="kvm-2" />
      </Form.Item>
      <Form.Item name="podid" label={t.pod}>
        <Select
          options={rows.map(({ id, name, zonename }) => ({ value: id ?? '', label: `${zonename}: ${name}` }))}
        />
      </Form.Item>
    </FormDialog>
  );
}

/** What may be done to a host in the state it is in. */
export function HostActions({ host }: { readonly host: Host }) {
  const { id, name = '', resourcestate } = host;
  const inMaintenance = ['Maintenance', 'PrepareForMaintenance', 'ErrorInMaintenance'].includes(
    resourcestate ?? '',
  );
  return (
    <Flex gap="small" wrap>
      {resourcestate === 'Enabled' && (
        <AskButton
          action={t.disable}
          command="updateHost"
          params={{ id, allocationstate: 'Disable' }}
          name={name}
        />
      )}
      {resourcestate === 'Disabled' && (
        <AskButton
          action={t.enable}
          command="updateHost"
          params={{ id, allocationstate: 'Enable' }}
          name={name}
        />
      )}
      {host.state === 'Up' && (
        <AskButton action={t.reconnect} command="reconnectHost" params={{ id }} name={name} />
      )}
      {!inMaintenance && host.state === 'Up' && (
        <AskButton
          action={t.maintain}
          command="prepareHostForMaintenance"
          params={{ id }}
          name={name}
          warning={t.maintainNote}
        />
      )}
      {inMaintenance && (
        <AskButton action={t.endMaintenance} command="cancelHostMaintenance" params={{ id }} name={name} />
      )}
      {(resourcestate !== 'Enabled' || host.state === 'Connecting') && (
        <AskButton
          action={t.remove}
          command="deleteHost"
          params={{ id }}
          name={name}
          warning={t.removeNote}
        />
      )}
    </Flex>
  );
}
