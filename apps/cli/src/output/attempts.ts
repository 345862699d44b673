import type { JobAttempt, JobSource } from '@millrace/api-client';
import { printable } from './console.ts';
import { formatDuration, formatPart, formatRate } from './quantities.ts';

/**
 * Every attempt of a job, host by host, with what was tried at each source and what came next. Why it failed stands on a
 * line of its own: these texts are long, and a terminal breaks them where it likes.
 * @param ended whether the job is over: after the last attempt nothing came next then
 */
export function formatAttempts(attempts: readonly JobAttempt[], ended: boolean): string {
  if (attempts.length === 0) return '';
  const lines = attempts.flatMap((attempt, index) => {
    const last = ended && index === attempts.length - 1;
    const sources = attempt.sources.flatMap((source, position) =>
      entry('     ', sourcePlace(source), outcome(source, last && position === attempt.sources.length - 1)),
    );
    return [...entry(`  ${index + 1}. `, attemptPlace(attempt), outcome(attempt, last)), ...sources];
  });
  return `Attempts:\n${lines.join('\n')}\n`;
}

/** Every attempt at the sources of one fetch. */
export function formatSources(sources: readonly JobSource[]): string {
  const lines = sources.flatMap((source) => entry('  ', sourcePlace(source), outcome(source, false)));
  return `Attempts:\n${lines.join('\n')}\n`;
}

/** `✗ host node1, pool local: every source failed (ALL_SOURCES_FAILED), then next host`. */
export function attemptText(attempt: JobAttempt): string {
  return printable(`${attemptPlace(attempt)}: ${inLine(outcome(attempt, false))}`);
}

/** `✗ mirror 2 http://m/a.qcow2 · try 1 · 12.3/45.0 MB · 2.0 s · not found (HTTP_STATUS), then next source`. */
export function sourceText(source: JobSource): string {
  return printable(`${sourcePlace(source)} · ${inLine(outcome(source, false))}`);
}

/** One failure in a line that a terminal can hold, while the rest goes on: `✗ mirror 2 http://m/a.qcow2 · not found`. */
export function briefly(source: JobSource): string {
  const [what] = (source.message ?? source.reason ?? 'failed').split(': ', 1);
  const rank = source.sourcerank === undefined ? '' : `mirror ${source.sourcerank} `;
  return printable(`${mark(source.state)} ${rank}${source.url} · ${what}${then(source)}`);
}

/** `✗ host node1, pool local`. */
function attemptPlace(attempt: JobAttempt): string {
  const host = attempt.host === undefined ? 'no host' : `host ${attempt.host}`;
  const pool = attempt.pool === undefined ? '' : `, pool ${attempt.pool}`;
  return `${mark(attempt.state)} ${host}${pool}`;
}

function sourcePlace(source: JobSource): string {
  const checksumAttempt = source.checksumattempt ?? 1;
  const tries = source.trynumber ?? 1;
  return [
    [
      mark(source.state),
      ...(source.sourcerank === undefined ? [] : ['mirror', String(source.sourcerank)]),
      source.url,
      ...(source.location === undefined ? [] : [`(${source.location})`]),
    ].join(' '),
    ...(checksumAttempt > 1 ? [`checksum attempt ${checksumAttempt}`] : []),
    ...(tries > 1 ? [`try ${tries}`] : []),
    ...(source.bytes === undefined ? [] : [formatPart(source.bytes, source.totalbytes)]),
    ...(source.bytespersecond ? [formatRate(source.bytespersecond)] : []),
    ...(source.durationms === undefined ? [] : [formatDuration(source.durationms)]),
  ].join(' · ');
}

/** What was tried, and below it how it ended and what to do about it; a short end stays on the line. */
function entry(lead: string, place: string, end: Outcome): string[] {
  const fits = end.advice === '' && lead.length + place.length + end.what.length < usualWidth;
  const indent = ' '.repeat(lead.length + 2);
  const lines = fits
    ? [`${lead}${place}: ${end.what}`]
    : [`${lead}${place}`, `${indent}${end.what}`, ...(end.advice === '' ? [] : [`${indent}${end.advice}`])];
  return lines.map(printable);
}

/** Of a terminal that is not among the widest; the list may be read in another one than it was made in. */
const usualWidth = 100;

interface Outcome {
  /** Why it ended as it did, and what came next. */
  readonly what: string;
  /** `Next: …`, for the operator; `''` when there is none. */
  readonly advice: string;
}

function outcome(tried: JobAttempt | JobSource, last: boolean): Outcome {
  const [message, advice = ''] = (tried.message ?? '').split(/[.;]? (?=Next: )/, 2);
  const reason = tried.reason ? ` (${tried.reason})` : '';
  const what = message ? `${message}${reason}` : (tried.reason ?? tried.state ?? 'unknown');
  return { what: `${what}${last ? '' : then(tried)}`, advice };
}

/** An outcome where there is but one line for it. */
function inLine({ what, advice }: Outcome): string {
  return advice === '' ? what : `${what}. ${advice}`;
}

function then(tried: JobAttempt | JobSource): string {
  return tried.next && tried.next !== 'done' ? `, then ${tried.next.replaceAll('-', ' ')}` : '';
}

function mark(state: string | undefined): string {
  if (state === undefined || /^(running|pending)$/i.test(state)) return '·';
  return /^(succeeded|success|done|ready)$/i.test(state) ? '✓' : '✗';
}
