import type { Job, JobAttempt, JobSource } from '@millrace/api-client/job';
import { Card, Descriptions, Flex, Table, type TableColumnsType, Typography } from 'antd';
import { text } from '../text/en.ts';
import { Failure } from './failure.tsx';
import { JobProgressBar } from './job-progress.tsx';
import { formatBytes, formatDuration, formatRate, formatTime } from './quantities.ts';
import { Scroller } from './scroller.tsx';
import { StateTag } from './state-tag.tsx';

/** A deployment as it decides and goes on: host, then source, then try. The same record that API and CLI show. */
export function Timeline({ job }: { readonly job: Job }) {
  const { progress, attempts } = job;
  return (
    <Flex vertical gap="middle">
      {job.status === 'pending' && progress && <JobProgressBar job={job} />}
      {job.errortext !== undefined && <Failure error={new Error(job.errortext)} />}
      {attempts.map((attempt, index) => (
        <Attempt key={attempt.ordinal ?? index} attempt={attempt} number={index + 1} />
      ))}
      {progress?.phasems && <Phases phases={progress.phasems} />}
      {attempts.length === 0 && job.status !== 'pending' && (
        <Typography.Text type="secondary">{text.timeline.none}</Typography.Text>
      )}
    </Flex>
  );
}

function Attempt({ attempt, number }: { readonly attempt: JobAttempt; readonly number: number }) {
  const title = (
    <Flex gap="small" align="center" wrap>
      <span>
        {text.timeline.attempt(number)}
        {attempt.host === undefined ? '' : `: ${attempt.host}`}
        {attempt.pool === undefined ? '' : ` → ${attempt.pool}`}
      </span>
      <StateTag state={attempt.state ?? 'running'} />
    </Flex>
  );
  return (
    <Card size="small" title={title} extra={formatTime(attempt.started)}>
      {attempt.reason !== undefined && (
        <Descriptions
          size="small"
          column={1}
          items={[
            { key: 'reason', label: text.timeline.reason, children: attempt.reason },
            { key: 'message', label: text.timeline.message, children: attempt.message ?? '–' },
            { key: 'next', label: text.timeline.next, children: text.next(attempt.next) },
          ]}
        />
      )}
      {attempt.sources.length > 0 ? (
        <Scroller label={text.timeline.sources}>
          <Table<JobSource>
            size="small"
            aria-label={text.timeline.sources}
            pagination={false}
            columns={sourceColumns}
            rowKey={(source) =>
              `${source.url} ${source.checksumattempt} ${source.trynumber} ${source.sourcerank}`
            }
            dataSource={[...attempt.sources]}
          />
        </Scroller>
      ) : (
        <Typography.Text type="secondary">{text.timeline.nothingMoved}</Typography.Text>
      )}
    </Card>
  );
}

const sourceColumns: TableColumnsType<JobSource> = [
  { title: text.timeline.rank, dataIndex: 'sourcerank', width: 48 },
  {
    title: text.timeline.source,
    dataIndex: 'url',
    render: (url: string, { location }) => (
      <span className="address">{location === undefined ? url : `${url} · ${location}`}</span>
    ),
  },
  {
    title: text.timeline.state,
    render: (_: unknown, { state }) => <StateTag state={state ?? 'running'} />,
  },
  {
    title: text.timeline.reason,
    render: (_: unknown, { reason, message }) =>
      reason === undefined ? '' : <span className="address">{`${reason}: ${message ?? ''}`}</span>,
  },
  { title: text.timeline.next, render: (_: unknown, { next }) => text.next(next) },
  {
    title: text.timeline.bytes,
    align: 'right',
    render: (_: unknown, { bytes, totalbytes }) =>
      totalbytes === undefined || bytes === totalbytes
        ? formatBytes(bytes)
        : `${formatBytes(bytes)} / ${formatBytes(totalbytes)}`,
  },
  {
    title: text.timeline.rate,
    align: 'right',
    render: (_: unknown, { bytespersecond }) => formatRate(bytespersecond),
  },
  {
    title: text.timeline.duration,
    align: 'right',
    render: (_: unknown, { durationms }) => formatDuration(durationms),
  },
  {
    title: text.timeline.try,
    render: (_: unknown, { checksumattempt, trynumber }) => `${checksumattempt ?? 1}.${trynumber ?? 1}`,
  },
];

function Phases({ phases }: { readonly phases: Readonly<Record<string, number>> }) {
  const parts = Object.entries(phases).map(([phase, ms]) => `${text.phase(phase)} ${formatDuration(ms)}`);
  return <Typography.Text type="secondary">{parts.join(' · ')}</Typography.Text>;
}
