import { SearchOutlined } from '@ant-design/icons';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { App, Button, Collapse, Flex, Form, Input, Select, Space, Switch } from 'antd';
import { call, isObject, type Params } from '../api/call.ts';
import type { OsType, TemplateProbe, Zone } from '../api/entities.ts';
import { useAction, useRows } from '../api/queries.ts';
import type { Session } from '../api/session.ts';
import { text } from '../text/en.ts';
import { CopyAs } from '../ui/copy-as.tsx';
import { Failure } from '../ui/failure.tsx';
import { Page } from '../ui/page.tsx';
import { type ImageKind, isoKind, templateKind } from './image-kind.ts';
import { ProbeReport } from './template-probe.tsx';

const t = text.register;

interface Fields {
  readonly url?: string;
  readonly checksum?: string;
  readonly name?: string;
  readonly displaytext?: string;
  readonly format?: string;
  readonly bootable?: boolean;
  readonly zoneid?: string;
  readonly ostypeid?: string;
  readonly directdownload?: boolean;
  readonly ispublic?: boolean;
  readonly isfeatured?: boolean;
  readonly headers?: string;
}

const allZones = '-1';
const formats = ['QCOW2', 'RAW', 'VMDK', 'OVA', 'VHD', 'VHDX'];

/** `Authorization: Bearer …`, one a line, as details of the template. */
function headerDetails(lines: string | undefined): Params {
  const named = (lines ?? '').split('\n').flatMap((line) => {
    const colon = line.indexOf(':');
    return colon > 0 ? [[line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as const] : [];
  });
  return Object.fromEntries(named.map(([name, value]) => [`details[0].HTTP_HEADER:${name}`, value]));
}

function registrationOf(kind: ImageKind, { headers, format, bootable, ...fields }: Fields): Params {
  return {
    ...fields,
    ...(kind.key === 'iso' ? { bootable: bootable ?? true } : { format, hypervisor: 'KVM' }),
    displaytext: fields.displaytext || fields.name,
    directdownload: fields.directdownload ?? true,
    zoneid: fields.zoneid ?? allZones,
    ...headerDetails(headers),
  };
}

/** The file's name without what tells its format: a first idea of a name. */
function nameOf(url: string): string {
  const file = URL.parse(url)?.pathname.split('/').at(-1) ?? '';
  return decodeURIComponent(file).replace(
    /(\.(meta4|metalink|qcow2|img|raw|vmdk|ova|vhdx?|iso|gz|bz2|xz|zst|zip))+$/i,
    '',
  );
}

interface Props {
  readonly session: Session;
}

export const RegisterTemplate = (props: Props) => <RegisterImage {...props} kind={templateKind} />;
export const RegisterIso = (props: Props) => <RegisterImage {...props} kind={isoKind} />;

function RegisterImage({ session, kind }: Props & { readonly kind: ImageKind }) {
  const [form] = Form.useForm<Fields>();
  const fields = (Form.useWatch([], form) ?? {}) as Fields;
  const { message } = App.useApp();
  const navigate = useNavigate();
  const register = useAction(kind.register);
  const probe = useMutation({ mutationFn: probeUrl, onSuccess: (found) => fill(found) });
  const fill = (found: TemplateProbe) => {
    const now = form.getFieldsValue();
    form.setFieldsValue({
      ...(found.format && kind.key === 'template' ? { format: found.format } : {}),
      ...(now.name ? {} : { name: nameOf(now.url ?? '') }),
    });
  };
  const look = () => {
    const { url, checksum, headers } = form.getFieldsValue();
    const format = kind.key === 'iso' ? 'ISO' : undefined;
    if (url) probe.mutate({ url, checksum, format, ...headerDetails(headers) });
  };
  const submit = async (values: Fields) => {
    try {
      const { [kind.key]: images } = await register.mutateAsync(registrationOf(kind, values));
      void message.success(t.registered(values.name ?? ''));
      const [row] = Array.isArray(images) ? images.filter(isObject) : [];
      void navigate({ to: row ? `${kind.path}/${String(row['id'])}` : kind.path });
    } catch {
      // shown below the form
    }
  };
  return (
    <Page title={kind.text.registerTitle}>
      <Form
        form={form}
        layout="vertical"
        onFinish={submit}
        initialValues={{ directdownload: true, bootable: true, zoneid: allZones, format: 'QCOW2' }}
        style={{ maxWidth: 860 }}
      >
        <Form.Item
          name="url"
          label={t.url}
          extra={t.urlHelp}
          rules={[{ required: true, message: t.required }]}
        >
          <Input
            autoFocus
            inputMode="url"
            spellCheck={false}
            placeholder={`https://images.example.org/debian-12.${kind.key === 'iso' ? 'iso' : 'qcow2'}.meta4`}
            onPaste={() => setTimeout(look)}
          />
        </Form.Item>
        <Form.Item name="checksum" label={t.checksum} extra={t.checksumHelp}>
          <Input spellCheck={false} />
        </Form.Item>
        <Form.Item>
          <Button icon={<SearchOutlined />} onClick={look} loading={probe.isPending} disabled={!fields.url}>
            {t.look}
          </Button>
        </Form.Item>
        <div aria-live="polite" style={{ marginBottom: 24 }}>
          {probe.isPending ? t.looking : null}
          <Failure error={probe.error} />
          {probe.data && !probe.isPending && <ProbeReport probe={probe.data} />}
        </div>
        <Form.Item name="name" label={t.name} rules={[{ required: true, message: t.required }]}>
          <Input />
        </Form.Item>
        <Form.Item name="displaytext" label={t.description}>
          <Input />
        </Form.Item>
        {kind.key === 'iso' ? (
          <Form.Item name="bootable" label={t.bootable} valuePropName="checked">
            <Switch />
          </Form.Item>
        ) : (
          <Form.Item name="format" label={t.format}>
            <Select options={formats.map((value) => ({ value, label: value }))} style={{ maxWidth: 240 }} />
          </Form.Item>
        )}
        <Form.Item name="directdownload" label={t.direct} extra={t.directHelp} valuePropName="checked">
          <Switch />
        </Form.Item>
        <Collapse
          items={[
            { key: 'more', label: t.advanced, forceRender: true, children: <Advanced session={session} /> },
          ]}
          style={{ marginBottom: 24 }}
        />
        <Failure error={register.error} />
        <Space style={{ marginTop: 16 }}>
          <Button type="primary" htmlType="submit" loading={register.isPending}>
            {t.submit}
          </Button>
          <CopyAs command={kind.register} params={registrationOf(kind, fields)} />
        </Space>
      </Form>
    </Page>
  );
}

/** Asks a host to look at a URL. @throws CallFailure */
export async function probeUrl(params: Params): Promise<TemplateProbe> {
  const { templateprobe } = await call('probeTemplate', params);
  return isObject(templateprobe) ? (templateprobe as TemplateProbe) : {};
}

function Advanced({ session }: { readonly session: Session }) {
  const zones = useRows<Zone>('listZones', {}, { live: false });
  const osTypes = useRows<OsType>('listOsTypes', { page: 1, pagesize: 500 }, { live: false });
  return (
    <Flex vertical>
      <Form.Item name="zoneid" label={t.zone}>
        <Select
          options={[
            { value: allZones, label: t.allZones },
            ...(zones.data?.rows ?? []).map(({ id, name }) => ({ value: id ?? '', label: name })),
          ]}
        />
      </Form.Item>
      <Form.Item name="ostypeid" label={t.osType}>
        <Select
          allowClear
          showSearch={{ optionFilterProp: 'label' }}
          options={(osTypes.data?.rows ?? []).map(({ id, description }) => ({
            value: id ?? '',
            label: description,
          }))}
        />
      </Form.Item>
      <Form.Item name="headers" label={t.headers} extra={t.headersHelp}>
        <Input.TextArea rows={2} spellCheck={false} placeholder="Authorization: Bearer …" />
      </Form.Item>
      <Form.Item name="ispublic" label={t.public} valuePropName="checked">
        <Switch />
      </Form.Item>
      {session.isAdmin && (
        <Form.Item name="isfeatured" label={t.featured} valuePropName="checked">
          <Switch />
        </Form.Item>
      )}
    </Flex>
  );
}
