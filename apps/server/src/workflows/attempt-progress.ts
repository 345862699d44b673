import type { SourceAttempt } from '@millrace/agent-protocol';
import type { JobContext } from '../jobs/job-context.ts';
import { makeLatestWriter } from '../jobs/latest-writer.ts';
import { recordSourceAttempts } from '../store/deployment-attempts.ts';
import type { TransferView } from './template-on-pool.ts';

/** Shows one attempt at a host to whoever polls the job: its phase, its bytes, and every try at every source. */
export interface AttemptProgress {
  at(hostName: string, poolName: string): void;
  phase(name: string): void;
  transfer(view: TransferView): void;
  sources(attempts: readonly SourceAttempt[]): void;
  /** What has been tried at sources so far. */
  tried(): readonly SourceAttempt[];
  flush(): Promise<void>;
}

/** Percent of the whole job at which each phase begins. The transfer is nearly all of a first deployment. */
const percentAt: Readonly<Record<string, number>> = {
  'waiting-for-host': 1,
  'host-chosen': 2,
  stopping: 2,
  transferring: 4,
  'waiting-for-transfer': 4,
  verifying: 76,
  unpacking: 78,
  inspecting: 79,
  converting: 80,
  committing: 82,
  committed: 84,
  'creating-volume': 86,
  starting: 90,
  running: 99,
};
const transferSpan = 72;

/** @param sourceCount how many sources the template has, when a probe saw it */
export function makeAttemptProgress(
  context: JobContext,
  ordinal: number,
  sourceCount: number | null,
): AttemptProgress {
  let place: { hostname?: string; poolname?: string } = {};
  let attempts: readonly SourceAttempt[] = [];
  const writer = makeLatestWriter<readonly SourceAttempt[]>({
    write: (value) =>
      context.write((trx) => recordSourceAttempts(trx, { jobId: context.job.id, ordinal }, value)),
    minIntervalMs: 500,
    now: () => performance.now(),
  });
  const sources = (value: readonly SourceAttempt[]) => {
    if (value.length === 0) return;
    attempts = value;
    writer.offer(value);
  };

  /** While planning, the URL is the metalink's, which is no source. */
  const source = (url: string | undefined) => ({
    ...(url === undefined ? {} : { url }),
    ...(url === undefined || sourceCount === null ? {} : { sourcecount: sourceCount }),
  });

  return {
    at(hostname, poolname) {
      place = { hostname, poolname };
    },
    phase(phase) {
      context.progress.report({ phase, percent: percentAt[phase] ?? 0, ...place });
    },
    transfer({ own, progress }) {
      const moving = progress.phase === 'planning' || progress.phase === 'transferring';
      const phase = !own ? 'waiting-for-transfer' : moving ? 'transferring' : progress.phase;
      const share = progress.totalBytes ? Math.min(1, progress.bytes / progress.totalBytes) : 0;
      context.progress.report({
        phase,
        percent: moving
          ? percentAt['transferring']! + transferSpan * share
          : (percentAt[progress.phase] ?? 0),
        ...place,
        bytes: progress.bytes,
        bytespersecond: Math.round(progress.bytesPerSecond),
        ...(progress.phase === 'transferring' ? source(progress.url) : {}),
        ...(progress.totalBytes === undefined ? {} : { totalbytes: progress.totalBytes }),
        ...(progress.etaSeconds === undefined ? {} : { etaseconds: Math.round(progress.etaSeconds) }),
      });
      sources(progress.attempts);
    },
    sources,
    tried: () => attempts,
    flush: () => writer.flush(),
  };
}
