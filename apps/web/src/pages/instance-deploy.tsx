import { useNavigate, useSearch } from '@tanstack/react-router';
import { App, Button, Collapse, Form, Input, InputNumber, Select, Space } from 'antd';
import { useEffect } from 'react';
import type { Params } from '../api/call.ts';
import type { Host, Network, ServiceOffering, SshKeyPair, Template, Zone } from '../api/entities.ts';
import { rememberJob } from '../api/jobs.ts';
import { useAction, useRows } from '../api/queries.ts';
import type { Session } from '../api/session.ts';
import { text } from '../text/en.ts';
import { CopyAs } from '../ui/copy-as.tsx';
import { Failure } from '../ui/failure.tsx';
import { Page } from '../ui/page.tsx';
import { formatGibibytes } from '../ui/quantities.ts';

const t = text.deploy;

interface Fields {
  readonly templateid?: string;
  readonly serviceofferingid?: string;
  readonly zoneid?: string;
  readonly name?: string;
  readonly networkids?: readonly string[];
  readonly rootdisksize?: number | null;
  readonly hostid?: string;
  readonly keypairs?: readonly string[];
  readonly userdata?: string;
}

const once = { live: false } as const;
const choice = [{ required: true, message: t.required }];

const imageOption = (row: Template) => ({
  value: row.id ?? '',
  label: `${row.name} (${row.format}, ${formatGibibytes(row.size)})`,
});

const paramsOf = ({ networkids, rootdisksize, keypairs, userdata, ...fields }: Fields): Params => ({
  ...fields,
  networkids: networkids?.join(','),
  rootdisksize: rootdisksize ?? undefined,
  keypairs: keypairs?.join(','),
  userdata: userdata ? base64Of(userdata) : undefined,
});

function base64Of(text: string): string {
  return btoa(String.fromCodePoint(...new TextEncoder().encode(text)));
}

/** One submission, then a job: everything after it is the server's business. */
export function DeployInstance({ session }: { readonly session: Session }) {
  const [form] = Form.useForm<Fields>();
  const fields = (Form.useWatch([], form) ?? {}) as Fields;
  const { templateid } = useSearch({ strict: false }) as { readonly templateid?: string };
  const { message } = App.useApp();
  const navigate = useNavigate();
  const deploy = useAction('deployVirtualMachine');
  const zones = useRows<Zone>('listZones', {}, once);
  const offerings = useRows<ServiceOffering>('listServiceOfferings', { page: 1, pagesize: 500 }, once);
  const templates = useRows<Template>(
    'listTemplates',
    { templatefilter: 'executable', zoneid: fields.zoneid, showunique: true, page: 1, pagesize: 500 },
    once,
  );
  const isos = useRows<Template>(
    'listIsos',
    {
      isofilter: 'executable',
      bootable: true,
      zoneid: fields.zoneid,
      showunique: true,
      page: 1,
      pagesize: 500,
    },
    once,
  );
  const fromIso = (isos.data?.rows ?? []).some(({ id }) => id === fields.templateid);
  const onlyZone = zones.data?.rows[0]?.id;
  const smallest = offerings.data?.rows[0]?.id;
  useEffect(() => {
    const now = form.getFieldsValue();
    form.setFieldsValue({
      ...(now.zoneid || !onlyZone ? {} : { zoneid: onlyZone }),
      ...(now.serviceofferingid || !smallest ? {} : { serviceofferingid: smallest }),
      ...(now.templateid || !templateid ? {} : { templateid }),
    });
  }, [form, onlyZone, smallest, templateid]);
  const submit = async (values: Fields) => {
    try {
      const { id, jobid } = await deploy.mutateAsync(paramsOf(values));
      const path = `/instances/${String(id)}`;
      if (typeof jobid === 'string') rememberJob({ jobid, title: `${t.submit}: ${values.name ?? ''}`, path });
      void message.success(t.started);
      void navigate({ to: path, search: { tab: 'timeline' } });
    } catch {
      // shown below the form
    }
  };
  return (
    <Page title={t.title}>
      <Form form={form} layout="vertical" onFinish={submit} style={{ maxWidth: 720 }}>
        <Form.Item name="templateid" label={t.template} rules={choice}>
          <Select
            showSearch={{ optionFilterProp: 'label' }}
            loading={templates.isPending}
            options={[
              ...(templates.data?.rows ?? []).map(imageOption),
              ...((isos.data?.rows ?? []).length > 0
                ? [{ label: t.isos, options: (isos.data?.rows ?? []).map(imageOption) }]
                : []),
            ]}
          />
        </Form.Item>
        <Form.Item name="serviceofferingid" label={t.offering} rules={choice}>
          <Select
            loading={offerings.isPending}
            options={(offerings.data?.rows ?? []).map((row) => ({
              value: row.id ?? '',
              label: t.offeringLine(
                row.name ?? '',
                row.cpunumber ?? 0,
                formatGibibytes((row.memory ?? 0) * 1024 ** 2),
              ),
            }))}
          />
        </Form.Item>
        <Form.Item name="name" label={t.name} extra={t.nameHelp}>
          <Input spellCheck={false} />
        </Form.Item>
        <Form.Item
          name="rootdisksize"
          label={t.diskSize}
          extra={t.diskSizeHelp}
          rules={fromIso ? [{ required: true, message: t.required }] : []}
        >
          <InputNumber min={1} style={{ width: 160 }} />
        </Form.Item>
        <Collapse
          items={[
            {
              key: 'more',
              label: t.advanced,
              forceRender: true,
              children: <Advanced zones={zones.data?.rows ?? []} zoneid={fields.zoneid} session={session} />,
            },
          ]}
          style={{ marginBottom: 24 }}
        />
        <Failure error={deploy.error} />
        <Space style={{ marginTop: 16 }}>
          <Button
            type="primary"
            htmlType="submit"
            loading={deploy.isPending}
            disabled={zones.isPending || offerings.isPending || templates.isPending}
          >
            {t.submit}
          </Button>
          <CopyAs command="deployVirtualMachine" params={paramsOf(fields)} />
        </Space>
      </Form>
    </Page>
  );
}

function Advanced(props: {
  readonly zones: readonly Zone[];
  readonly zoneid: string | undefined;
  readonly session: Session;
}) {
  const networks = useRows<Network>('listNetworks', { zoneid: props.zoneid }, once);
  const keys = useRows<SshKeyPair>('listSSHKeyPairs', { page: 1, pagesize: 500 }, once);
  const hosts = useRows<Host>(
    'listHosts',
    { type: 'Routing', zoneid: props.zoneid, page: 1, pagesize: 500 },
    { ...once, enabled: props.session.isAdmin },
  );
  return (
    <>
      <Form.Item name="zoneid" label={t.zone} rules={choice}>
        <Select options={props.zones.map(({ id, name }) => ({ value: id ?? '', label: name }))} />
      </Form.Item>
      <Form.Item name="networkids" label={t.network} extra={t.networkHelp}>
        <Select
          mode="multiple"
          options={(networks.data?.rows ?? []).map(({ id, name, cidr }) => ({
            value: id ?? '',
            label: `${name} (${cidr})`,
          }))}
        />
      </Form.Item>
      <Form.Item name="keypairs" label={t.keypair} extra={t.keypairHelp}>
        <Select
          mode="multiple"
          options={(keys.data?.rows ?? []).map(({ name }) => ({ value: name ?? '', label: name }))}
        />
      </Form.Item>
      <Form.Item name="userdata" label={t.userdata} extra={t.userdataHelp}>
        <Input.TextArea rows={4} spellCheck={false} placeholder="#cloud-config" />
      </Form.Item>
      {props.session.isAdmin && (
        <Form.Item name="hostid" label={t.host} extra={t.hostHelp}>
          <Select
            allowClear
            options={(hosts.data?.rows ?? []).map(({ id, name, state }) => ({
              value: id ?? '',
              label: `${name} (${state})`,
            }))}
          />
        </Form.Item>
      )}
    </>
  );
}
