import { Button, Form, Modal } from 'antd';
import { type ReactNode, useState } from 'react';
import type { JsonObject, Params } from '../api/call.ts';
import { rememberJob } from '../api/jobs.ts';
import { useAction } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { CopyAs } from './copy-as.tsx';
import { Failure } from './failure.tsx';

interface FormDialogProps<F extends object> {
  /** What the button, the dialog and its answer are called. */
  readonly title: string;
  readonly command: string;
  readonly children: ReactNode;
  readonly initial?: F;
  readonly params: (fields: F) => Params;
  /** Where a job that it starts is told more of. */
  readonly jobPath?: string;
  /** Shown instead of the form once it is done; without it the dialog closes. */
  readonly answer?: (answer: JsonObject) => ReactNode;
  readonly primary?: boolean;
  readonly label?: string;
}

/** A button that opens a form and calls one command with it; what the server says against it stands in the dialog. */
export function FormDialog<F extends object>(props: FormDialogProps<F>) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button
        type={props.primary ? 'primary' : 'default'}
        size={props.primary ? 'middle' : 'small'}
        aria-label={props.label}
        onClick={() => setOpen(true)}
      >
        {props.title}
      </Button>
      {open && <Dialog {...props} close={() => setOpen(false)} />}
    </>
  );
}

function Dialog<F extends object>(props: FormDialogProps<F> & { readonly close: () => void }) {
  const { title, command, params, close } = props;
  const [form] = Form.useForm<F>();
  const fields = (Form.useWatch([], form) ?? props.initial ?? {}) as F;
  const run = useAction(command);
  const [answer, setAnswer] = useState<ReactNode>();
  const submit = async (values: F) => {
    try {
      const content = await run.mutateAsync(params(values));
      const { jobid } = content;
      if (typeof jobid === 'string') rememberJob({ jobid, title, path: props.jobPath ?? `/jobs/${jobid}` });
      if (props.answer) setAnswer(props.answer(content));
      else close();
    } catch {
      // shown below the form
    }
  };
  const done = answer !== undefined;
  return (
    <Modal
      open
      title={title}
      okText={done ? text.dialog.close : title}
      cancelText={text.instances.cancel}
      cancelButtonProps={done ? { style: { display: 'none' } } : {}}
      onCancel={close}
      onOk={done ? close : () => form.submit()}
      confirmLoading={run.isPending}
    >
      {answer ?? (
        <Form<F>
          form={form}
          layout="vertical"
          onFinish={(values) => void submit(values)}
          {...(props.initial ? { initialValues: props.initial } : {})}
        >
          {props.children}
          <Failure error={run.error} />
          <CopyAs command={command} params={params(fields)} />
        </Form>
      )}
    </Modal>
  );
}
