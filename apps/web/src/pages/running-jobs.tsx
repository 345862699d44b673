import { Link } from '@tanstack/react-router';
import { Flex } from 'antd';
import type { AsyncJob } from '../api/entities.ts';
import { useJob } from '../api/queries.ts';
import { JobProgressBar } from '../ui/job-progress.tsx';

/** Jobs under way, each with its bar. */
export function RunningJobs({ jobs }: { readonly jobs: readonly AsyncJob[] }) {
  return (
    <Flex vertical gap="middle">
      {jobs.map(({ jobid, cmd }) => (
        <RunningJob key={jobid} id={jobid ?? ''} command={cmd ?? ''} />
      ))}
    </Flex>
  );
}

function RunningJob({ id, command }: { readonly id: string; readonly command: string }) {
  const { data } = useJob(id);
  return (
    <div>
      <Link to={`/jobs/${id}`}>{command}</Link>
      {data && <JobProgressBar job={data} />}
    </div>
  );
}
