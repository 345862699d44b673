import { App, Button } from 'antd';
import type { Params } from '../api/call.ts';
import { rememberJob } from '../api/jobs.ts';
import { useAction } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { useComplaint } from './use-complaint.tsx';

/** Calls one command about one thing, after a question when something is lost by it. */
export function AskButton(props: {
  readonly action: string;
  readonly command: string;
  readonly params: Params;
  /** What it is about. */
  readonly name: string;
  readonly warning?: string;
  readonly jobPath?: string;
}) {
  const { modal } = App.useApp();
  const complain = useComplaint();
  const run = useAction(props.command);
  const perform = async () => {
    try {
      const { jobid } = await run.mutateAsync(props.params);
      if (typeof jobid === 'string')
        rememberJob({
          jobid,
          title: `${props.action}: ${props.name}`,
          path: props.jobPath ?? `/jobs/${jobid}`,
        });
    } catch (error) {
      complain(error);
    }
  };
  const ask = () => {
    if (props.warning === undefined) return void perform();
    modal.confirm({
      title: text.instances.sure(props.action, props.name),
      content: props.warning,
      okText: props.action,
      okButtonProps: { danger: true },
      cancelText: text.instances.cancel,
      onOk: perform,
    });
  };
  return (
    <Button
      size="small"
      danger={props.warning !== undefined}
      loading={run.isPending}
      onClick={ask}
      aria-label={`${props.action}: ${props.name}`}
    >
      {props.action}
    </Button>
  );
}
