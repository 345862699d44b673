import { Link } from '@tanstack/react-router';
import { Descriptions, Skeleton } from 'antd';
import type { AsyncJob } from '../api/entities.ts';
import { useJob } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { Failure } from '../ui/failure.tsx';
import { ListTable } from '../ui/list-table.tsx';
import { Page } from '../ui/page.tsx';
import { formatTime } from '../ui/quantities.ts';
import { StateTag } from '../ui/state-tag.tsx';
import { Timeline } from '../ui/timeline.tsx';

export function Jobs() {
  return (
    <Page title={text.jobs.title}>
      <ListTable<AsyncJob>
        command="listAsyncJobs"
        params={{ listall: true }}
        label={text.jobs.title}
        rowKey={(job) => job.jobid ?? ''}
        empty={text.jobs.empty}
        columns={[
          {
            title: text.jobs.command,
            render: (_: unknown, job) => <Link to={`/jobs/${job.jobid}`}>{job.cmd}</Link>,
          },
          {
            title: text.jobs.state,
            render: (_: unknown, { jobstatus = 0 }) => (
              <StateTag state={text.jobs.states[jobstatus] ?? 'pending'} />
            ),
          },
          { title: text.jobs.created, render: (_: unknown, { created }) => formatTime(created) },
          { title: text.jobs.completed, render: (_: unknown, { completed }) => formatTime(completed) },
          { title: text.jobs.account, dataIndex: 'account' },
        ]}
      />
    </Page>
  );
}

export function JobDetail({ id }: { readonly id: string }) {
  const job = useJob(id);
  if (job.error) return <Failure error={job.error} retry={() => void job.refetch()} />;
  if (!job.data) return <Skeleton active />;
  const { answer, status } = job.data;
  return (
    <Page title={`${text.jobs.title1} ${String(answer['cmd'] ?? '')}`}>
      <Descriptions
        size="small"
        items={[
          { key: 'state', label: text.jobs.state, children: <StateTag state={status} /> },
          { key: 'created', label: text.jobs.created, children: formatTime(textOf(answer['created'])) },
          { key: 'completed', label: text.jobs.completed, children: formatTime(textOf(answer['completed'])) },
          { key: 'id', label: text.jobs.id, children: id },
        ]}
      />
      <Timeline job={job.data} />
    </Page>
  );
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
