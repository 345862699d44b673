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
  const told = new Set<string>();
  return {
    update(progress) {
      for (const attempt of progress.attempts) {
        // several run at once, and they fail in any order
        const { sourceRank, checksumAttempt, tryNumber, state } = attempt;
        const key = `${sourceRank}/${checksumAttempt}/${tryNumber}`;
        if (state !== 'failed' || told.has(key)) continue;
        told.add(key);
        const source = asJobSource(attempt);
        live.print(isTty ? briefly(source) : sourceText(source));
      }
      const line = fetchLine(progress, isTty);
      if (!isTty && progress.phase !== phase) live.print(line);
      phase = progress.phase;
      live.show([line, ...sourceLines(progress)]);
    },
    finish: () => live.clear(),
  };
}

/** `transferring ██████░░░░░░░░░░░░░░ 27% · 12.3/45.0 MB · 40 MB/s · ETA 1 s · mirror 2 http://m/a.qcow2`. */
export function fetchLine(progress: ImageProgress, withBar: boolean): string {
  const { phase, bytes, totalBytes, bytesPerSecond, etaSeconds, url } = progress;
  const running = progress.attempts.filter((attempt) => attempt.state === 'running');
  // what was moved before another source was looked for is no progress of this one
  const moves = phase !== 'planning';
  const share = moves && totalBytes ? Math.min(1, bytes / totalBytes) : undefined;
  return [
    share === undefined ? phase : `${phase} ${withBar ? `${bar(share)} ` : ''}${Math.floor(share * 100)}%`,
    ...(moves && bytes > 0 ? [formatPart(bytes, totalBytes)] : []),
    ...(phase === 'transferring' && bytesPerSecond > 0 ? [formatRate(bytesPerSecond)] : []),
    ...(phase !== 'transferring' || etaSeconds === undefined ? [] : [`ETA ${formatSeconds(etaSeconds)}`]),
    ...(running.length > 1 ? [`${running.length} mirrors`] : sourceOf(running[0], url)),
  ].join(' · ');
}

function sourceOf(running: SourceAttempt | undefined, url: string | undefined): string[] {
  if (url === undefined) return [];
  return [running ? `mirror ${running.sourceRank} ${running.url}` : url];
}

/** More lines than this say less, not more. */
const mostSourceLines = 8;

/** Where several sources send at once, what each of them does: `  mirror 2 · 21 MB/s · 104 MB · http://m/b`. */
function sourceLines({ phase, attempts }: ImageProgress): string[] {
  const running = attempts.filter((attempt) => attempt.state === 'running');
  if (phase !== 'transferring' || running.length < 2) return [];
  const lines = running
    .slice(0, mostSourceLines)
    .map(({ sourceRank, bytesPerSecond, bytes, url }) =>
      [`  mirror ${sourceRank}`, formatRate(bytesPerSecond), formatPart(bytes, undefined), url].join(' · '),
    );
  if (running.length > lines.length) lines.push(`  and ${running.length - lines.length} more`);
  return lines;
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
