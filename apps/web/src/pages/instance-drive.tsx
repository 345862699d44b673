import { Alert, Button, Checkbox, Form, Modal, Select } from 'antd';
import { useState } from 'react';
import type { Template, VirtualMachine } from '../api/entities.ts';
import { rememberJob } from '../api/jobs.ts';
import { useAction, useRows } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { Failure } from '../ui/failure.tsx';

const t = text.instances;

/** What is in the CD-ROM drive of an instance: attached, replaced and taken out, also while it runs. */
export function Drive({ vm }: { readonly vm: VirtualMachine }) {
  const [open, setOpen] = useState(false);
  const title = vm.isoid ? t.detach : t.attach;
  return (
    <>
      <Button onClick={() => setOpen(true)}>{title}</Button>
      {open && <DriveDialog vm={vm} title={title} close={() => setOpen(false)} />}
    </>
  );
}

function DriveDialog(props: {
  readonly vm: VirtualMachine;
  readonly title: string;
  readonly close: () => void;
}) {
  const { vm, title, close } = props;
  const attached = vm.isoid !== undefined;
  const run = useAction(attached ? 'detachIso' : 'attachIso');
  const [iso, setIso] = useState<string>();
  const [forced, setForced] = useState(false);
  const perform = async () => {
    try {
      const { jobid } = await run.mutateAsync({
        virtualmachineid: vm.id,
        ...(attached ? { forced } : { id: iso }),
      });
      const name = vm.displayname ?? vm.name ?? '';
      if (typeof jobid === 'string')
        rememberJob({ jobid, title: `${title}: ${name}`, path: `/instances/${vm.id}` });
      close();
    } catch {
      // shown in the dialog
    }
  };
  return (
    <Modal
      open
      title={title}
      okText={title}
      cancelText={t.cancel}
      onCancel={close}
      onOk={() => void perform()}
      confirmLoading={run.isPending}
      okButtonProps={{ disabled: !attached && iso === undefined }}
    >
      {attached ? (
        <Checkbox checked={forced} onChange={(event) => setForced(event.target.checked)}>
          {t.forced}
        </Checkbox>
      ) : (
        <ChooseIso zoneid={vm.zoneid} value={iso} onChange={setIso} />
      )}
      <Failure error={run.error} />
    </Modal>
  );
}

function ChooseIso(props: {
  readonly zoneid: string | undefined;
  readonly value: string | undefined;
  readonly onChange: (id: string) => void;
}) {
  const isos = useRows<Template>(
    'listIsos',
    { isofilter: 'executable', zoneid: props.zoneid, showunique: true, page: 1, pagesize: 500 },
    { live: false },
  );
  return (
    <Form layout="vertical">
      <Alert type="info" title={t.attachNote} style={{ marginBottom: 16 }} />
      <Form.Item label="ISO" htmlFor="iso">
        <Select
          id="iso"
          showSearch={{ optionFilterProp: 'label' }}
          loading={isos.isPending}
          value={props.value ?? null}
          onChange={(value) => value !== null && props.onChange(value)}
          options={(isos.data?.rows ?? []).map(({ id, name }) => ({ value: id ?? '', label: name }))}
        />
      </Form.Item>
    </Form>
  );
}
