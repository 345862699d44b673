import { useQueryClient } from '@tanstack/react-query';
import { App, Button } from 'antd';
import { useState } from 'react';
import { call, type Params } from '../api/call.ts';
import { rememberJob } from '../api/jobs.ts';
import { text } from '../text/en.ts';
import { wordsOf } from './failure.tsx';

/** How many calls are under way at once: polite to the server, quick enough for a page of rows. */
const atOnce = 4;

export interface BulkTarget {
  readonly name: string;
  readonly params: Params;
  /** Where its job is told of. */
  readonly path: string;
}

/** One command for each of the chosen rows it makes sense for. Each is a call and a job of its own; what is refused is said by name. */
export function BulkAction(props: {
  readonly action: string;
  readonly command: string;
  readonly targets: readonly BulkTarget[];
  readonly warning?: string;
  readonly done: () => void;
}) {
  const { action, command, targets, warning, done } = props;
  const { modal, message } = App.useApp();
  const client = useQueryClient();
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    const problems: string[] = [];
    const waiting = targets.values();
    const work = async () => {
      for (const { name, params, path } of waiting) {
        try {
          const { jobid } = await call(command, params);
          if (typeof jobid === 'string') rememberJob({ jobid, title: `${action}: ${name}`, path });
        } catch (error) {
          problems.push(`${name}: ${wordsOf(error)}`);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, targets.length) }, work));
    setBusy(false);
    await client.invalidateQueries();
    void message.info(text.list.asked(action, targets.length - problems.length));
    if (problems.length > 0)
      modal.error({
        title: text.list.refused(action, problems.length, targets.length),
        content: <div className="prose">{problems.join('\n')}</div>,
      });
    done();
  };
  const ask = () => {
    if (warning === undefined) return void run();
    modal.confirm({
      title: text.list.sure(action, targets.length),
      content: (
        <>
          <p>{warning}</p>
          <p className="prose">{targets.map(({ name }) => name).join(', ')}</p>
        </>
      ),
      okText: action,
      okButtonProps: { danger: true },
      cancelText: text.instances.cancel,
      onOk: run,
    });
  };
  return (
    <Button
      danger={warning !== undefined}
      disabled={targets.length === 0}
      loading={busy}
      onClick={ask}
      aria-label={text.list.each(action, targets.length)}
    >
      {text.list.each(action, targets.length)}
    </Button>
  );
}
