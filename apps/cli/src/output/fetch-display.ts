import type { JobSource } from '@millrace/api-client';
import type { ImageProgress, SourceAttempt } from '@millrace/image';
import { briefly, sourceText } from './attempts.ts';
import type { LiveLine } from './live-line.ts';
import { formatPart, formatRate, formatSeconds } from './quantities.ts';

export interface FetchDisplay {
  update(progress: ImageProgress): void;
  /** Takes the live line away. */
  finish(): void;
}

/** Shows a fetch: on a terminal a bar, elsewhere a line per phase; sources that fail are lines in both. */
export function makeFetchDisplay(deps: { readonly live: LiveLine; readonly isTty: boolean }): FetchDisplay {
  const { live, isTty } = deps;
  let phase = '';
  let told = 0;
  return {
    update(progress) {
      // attempts only ever grow, and only the last one can be running
      const failed = progress.attempts.filter((attempt) => attempt.state === 'failed');
      for (const attempt of failed.slice(told)) {
        const source = asJobSource(attempt);
        live.print(isTty ? briefly(source) : sourceText(source));
      }
      told = Math.max(told, failed.length);
      const line = fetchLine(progress, isTty);
      if (!isTty && progress.phase !== phase) live.print(line);
      phase = progress.phase;
      live.show(line);
    },
    finish: () => live.clear(),
  };
}

/** `transferring ██████░░░░░░░░░░░░░░ 27% · 12.3/45.0 MB · 40 MB/s · ETA 1 s · mirror 2 http://m/a.qcow2`. */
export function fetchLine(progress: ImageProgress, withBar: boolean): string {
  const { phase, bytes, totalBytes, bytesPerSecond, etaSeconds, url } = progress;
  const running = progress.attempts.findLast((attempt) => attempt.state === 'running');
  // what was moved before another source was looked for is no progress of this one
  const moves = phase !== 'planning';
  const share = moves && totalBytes ? Math.min(1, bytes / totalBytes) : undefined;
  return [
    share === undefined ? phase : `${phase} ${withBar ? `${bar(share)} ` : ''}${Math.floor(share * 100)}%`,
    ...(moves && bytes > 0 ? [formatPart(bytes, totalBytes)] : []),
    ...(phase === 'transferring' && bytesPerSecond > 0 ? [formatRate(bytesPerSecond)] : []),
    ...(phase !== 'transferring' || etaSeconds === undefined ? [] : [`ETA ${formatSeconds(etaSeconds)}`]),
    ...(url === undefined ? [] : [running ? `mirror ${running.sourceRank} ${url}` : url]),
  ].join(' · ');
}

const barWidth = 20;

function bar(share: number): string {
  const full = Math.round(share * barWidth);
  return `${'█'.repeat(full)}${'░'.repeat(barWidth - full)}`;
}

/** An attempt of the engine as a job's answer spells it, so that both are shown alike. */
export function asJobSource(attempt: SourceAttempt): JobSource {
  const { sourceRank, checksumAttempt, tryNumber, totalBytes, bytesPerSecond, durationMs, next, ...same } =
    attempt;
  return {
    ...same,
    // there is no other host to go to
    ...(next === undefined || next === 'next-host' || next === 'stop' ? {} : { next }),
    sourcerank: sourceRank,
    checksumattempt: checksumAttempt,
    trynumber: tryNumber,
    ...(totalBytes === undefined ? {} : { totalbytes: totalBytes }),
    bytespersecond: bytesPerSecond,
    durationms: durationMs,
  };
}
