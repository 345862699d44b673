import type { Job, JobProgress, JobSource } from '@millrace/api-client';
import { formatBytes, formatDuration, type Progress } from '../progress.ts';

/** What each phase of a deployment does, in its order, in words for somebody who sees it for the first time. */
const phaseTexts: Readonly<Record<string, string>> = {
  'host-chosen': 'choosing host and pool',
  planning: 'reading the list of mirrors',
  'waiting-for-transfer': 'waiting for the transfer that another deployment began',
  transferring: 'transferring: the host streams the image straight into its pool',
  verifying: 'verifying the digest of the transferred bytes',
  unpacking: 'unpacking what is left to unpack',
  inspecting: 'inspecting the image before anything may see it',
  committing: 'committing: synced to disk, then made visible under its final name',
  committed: 'committed: the pool has the image, whole and verified',
  'creating-volume': "creating the VM's own disk on top of it",
  starting: 'starting the VM',
  running: 'the VM runs',
};
const phaseOrder = Object.keys(phaseTexts);

/** Phases with their times, in the order in which a deployment goes through them; unknown ones come last. */
export function orderedPhases(phases: Readonly<Record<string, number>>): [string, number][] {
  const rank = (name: string) => {
    const index = phaseOrder.indexOf(name);
    return index < 0 ? phaseOrder.length : index;
  };
  return Object.entries(phases).sort(([a], [b]) => rank(a) - rank(b));
}

export interface DeploymentView {
  update(job: Job): void;
}

/**
 * Turns the answers of queryAsyncJobResult into lines: one for each phase, each host that was chosen, and each mirror that
 * was tried; and a live line with bytes, rate and time left.
 */
export function viewDeployment(progress: Pick<Progress, 'line' | 'live'>): DeploymentView {
  const shown = new Set<string>();
  const once = (key: string, text: string) => {
    if (shown.has(key)) return;
    shown.add(key);
    progress.line(`    ${text}`);
  };
  return {
    update(job) {
      job.attempts.forEach((attempt, index) => {
        const where = [attempt.host, attempt.pool && `pool ${attempt.pool}`].filter(Boolean).join(', ');
        if (where !== '') once(`host ${index} ${where}`, `host chosen: ${where}`);
        for (const source of attempt.sources) showSource(source, `${index}`, once);
        if (attempt.state === 'failed') {
          const next = nextTexts[attempt.next ?? ''] ?? attempt.next ?? '';
          const why = attempt.message ?? attempt.reason ?? 'no reason given';
          once(`host ${index} failed`, `✘ this host failed: ${why} → ${next}`);
        }
      });
      const current = job.progress;
      if (current === undefined) return;
      showPhases(current, once);
      const line = liveLine(current);
      if (line !== undefined && job.status === 'pending') progress.live(`    ${line}`);
    },
  };
}

/** The present phase, and before it those that came and went since the last look, with the time they took. */
function showPhases(current: JobProgress, once: (key: string, text: string) => void): void {
  const at = phaseOrder.indexOf(current.phase);
  for (const [name, milliseconds] of orderedPhases(current.phasems ?? {})) {
    const index = phaseOrder.indexOf(name);
    if (index >= 0 && index < at && name !== 'host-chosen') {
      once(`phase ${name}`, `${phaseTexts[name]} (${formatDuration(milliseconds)})`);
    }
  }
  const text = phaseTexts[current.phase];
  if (text !== undefined && current.phase !== 'host-chosen') once(`phase ${current.phase}`, text);
}

function showSource(source: JobSource, attempt: string, once: (key: string, text: string) => void): void {
  const key = `${attempt} ${source.sourcerank} ${source.checksumattempt} ${source.trynumber} ${source.url}`;
  const mirror = `mirror ${source.sourcerank ?? '?'}: ${source.url}`;
  // until bytes come, it may as well fail at once, which is told in one line
  if (source.state === 'running' && (source.bytes ?? 0) > 0) once(`tried ${key}`, `→ ${mirror}`);
  if (source.state === 'failed') {
    const why = source.message ?? source.reason ?? 'no reason given';
    once(`ended ${key}`, `✘ ${mirror} failed: ${why} → ${nextTexts[source.next ?? ''] ?? source.next ?? ''}`);
  }
  if (source.state === 'succeeded') {
    const took = source.durationms === undefined ? '' : ` in ${formatDuration(source.durationms)}`;
    once(`ended ${key}`, `✔ ${mirror}: ${formatBytes(source.bytes ?? 0)}${took}`);
  }
}

const nextTexts: Readonly<Record<string, string>> = {
  'same-source': 'the same mirror again',
  'next-source': 'the next mirror',
  'next-checksum-attempt': 'once more, from the next mirror',
  'next-host': 'the next host',
  stop: 'the end',
};

/** `12.1 MB of 14.0 MB (86 %)  5.9 MB/s  0.3 s left` while bytes move. */
export function liveLine(progress: JobProgress): string | undefined {
  const { bytes, totalbytes, bytespersecond, etaseconds } = progress;
  if (bytes === undefined || bytes === 0) return undefined;
  const parts = [
    totalbytes === undefined
      ? formatBytes(bytes)
      : `${formatBytes(bytes)} of ${formatBytes(totalbytes)} (${Math.floor((bytes / totalbytes) * 100)} %)`,
  ];
  if (bytespersecond !== undefined) parts.push(`${formatBytes(bytespersecond)}/s`);
  if (etaseconds !== undefined) parts.push(`${formatDuration(etaseconds * 1000)} left`);
  return parts.join('  ');
}

/** One line per phase with its time, the slowest marked by its length. */
export function phaseTable(phases: readonly (readonly [string, number])[]): string[] {
  const longest = Math.max(1, ...phases.map(([, time]) => time));
  const width = Math.max(...phases.map(([name]) => name.length));
  return phases.map(([name, time]) => {
    const bar = '▇'.repeat(Math.max(time > 0 ? 1 : 0, Math.round((time / longest) * 30)));
    return `    ${name.padEnd(width)}  ${formatDuration(time).padStart(8)}  ${bar}`.trimEnd();
  });
}
