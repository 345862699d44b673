import { BellOutlined } from '@ant-design/icons';
import { Link } from '@tanstack/react-router';
import { Badge, Button, Empty, Flex, Popover, Typography } from 'antd';
import { useEffect } from 'react';
import { forgetEnded, markEnded, type TrayJob, useTrayJobs } from '../api/jobs.ts';
import { useJob } from '../api/queries.ts';
import { text } from '../text/en.ts';
import { JobProgressBar } from '../ui/job-progress.tsx';
import { StateTag } from '../ui/state-tag.tsx';

/** How many running jobs are asked for at once: the oldest first, the others when these have ended. */
const mostWatched = 10;
/** How many are shown: the page of jobs has them all. */
const mostShown = 20;

/** Jobs that were started in this browser, and how far they are. */
export function JobTray() {
  const jobs = useTrayJobs();
  const running = jobs.filter(({ ended }) => ended === undefined);
  const content = (
    <Flex vertical gap="middle" style={{ width: 'min(380px, 80vw)', maxHeight: '60vh', overflow: 'auto' }}>
      {jobs.length === 0 && <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={text.tray.none} />}
      {jobs.slice(0, mostShown).map((job) => (
        <Entry key={job.jobid} job={job} />
      ))}
      {jobs.length > running.length && <Button onClick={forgetEnded}>{text.tray.forget}</Button>}
    </Flex>
  );
  return (
    <>
      {running.slice(-mostWatched).map((job) => (
        <Watch key={job.jobid} jobid={job.jobid} />
      ))}
      <Popover content={content} title={text.tray.title} trigger="click" placement="bottomRight">
        <Badge count={running.length} size="small">
          <Button
            icon={<BellOutlined />}
            aria-label={`${text.tray.title}, ${text.tray.running(running.length)}`}
          />
        </Badge>
      </Popover>
    </>
  );
}

function Entry({ job }: { readonly job: TrayJob }) {
  const { data } = useJob(job.jobid);
  const status = data?.status ?? 'pending';
  return (
    <div>
      <Flex justify="space-between" gap="small">
        <Link to={job.path}>{job.title}</Link>
        <StateTag state={status} />
      </Flex>
      {data && status === 'pending' && <JobProgressBar job={data} />}
      {data?.errortext !== undefined && (
        <Typography.Paragraph type="danger" ellipsis={{ rows: 3, expandable: true }}>
          {data.errortext}
        </Typography.Paragraph>
      )}
    </div>
  );
}

/** Keeps an eye on a running job while the tray is closed. */
function Watch({ jobid }: { readonly jobid: string }) {
  const { data } = useJob(jobid);
  const status = data?.status;
  useEffect(() => {
    if (status !== undefined && status !== 'pending') markEnded(jobid, status === 'done' ? 'done' : 'failed');
  }, [jobid, status]);
  return null;
}
