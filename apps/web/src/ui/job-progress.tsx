import type { Job } from '@millrace/api-client/job';
import { Progress, Typography } from 'antd';
import { text } from '../text/en.ts';
import { formatBytes, formatDuration, formatRate } from './quantities.ts';

/** How far a job is: in words that are read out, and as a bar. */
export function JobProgressBar({ job }: { readonly job: Job }) {
  const { progress } = job;
  if (!progress) return null;
  const parts = [
    text.phase(progress.phase),
    ...(progress.bytes !== undefined
      ? [
          `${formatBytes(progress.bytes)}${progress.totalbytes === undefined ? '' : ` / ${formatBytes(progress.totalbytes)}`}`,
        ]
      : []),
    ...(progress.bytespersecond ? [formatRate(progress.bytespersecond)] : []),
    ...((progress.etaseconds ?? 0) < 1
      ? []
      : [text.timeline.left(formatDuration((progress.etaseconds ?? 0) * 1000))]),
  ];
  const line = parts.join(' · ');
  return (
    <div>
      <output aria-live="polite">{line}</output>
      <Progress
        percent={Math.floor(progress.percent ?? 0)}
        status="active"
        aria-label={text.timeline.progress}
      />
      {progress.url !== undefined && <Typography.Text type="secondary">{progress.url}</Typography.Text>}
    </div>
  );
}
