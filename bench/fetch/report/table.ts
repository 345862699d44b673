import { bestPeer, secondsOf } from './judge.ts';
import type { CaseResult, Entry, JudgedTarget, Results } from './results.ts';
import { formatMebibytes, formatSeconds, median } from './statistics.ts';

/** The results as Markdown: what was to be reached, then everything that was measured. */
export function formatResults(results: Results): string {
  const { machine, rounds, cases, overall } = results;
  return [
    `Medians of ${rounds} rounds, seconds, in brackets the fastest and the slowest. Durable: everybody syncs.`,
    '',
    ...formatTargets(cases, overall),
    '',
    ...cases.flatMap((each) => [...formatCase(each), '']),
    Object.entries(machine)
      .map(([name, value]) => `${name}: ${value}`)
      .join(' · '),
    '',
  ].join('\n');
}

function formatTargets(cases: readonly CaseResult[], overall: readonly JudgedTarget[]): string[] {
  const rows = cases
    .filter(({ targets }) => targets.length > 0)
    .map(({ title, entries, boundSeconds, targets }) => {
      const [agent, command] = ['Millrace, agent', 'Millrace, command'].map((name) =>
        entries.find((entry) => entry.name === name),
      );
      const peer = bestPeer(entries);
      const bound = boundSeconds === undefined ? '–' : formatSeconds(boundSeconds);
      return row([
        title,
        formatTimes(agent),
        formatTimes(command),
        formatTimes(entries.find(({ kind }) => kind === 'cloudstack')),
        peer === undefined ? '–' : `${formatTimes(peer)} ${inCell(peer.name)}`,
        bound,
        ...(['cloudstack', 'peer', 'bound'] as const).map((column) =>
          targets
            .filter((target) => target.column === column)
            .map(formatTarget)
            .join('; '),
        ),
      ]);
    });
  return [
    row([
      'case',
      'Millrace, agent',
      'Millrace, command',
      'CloudStack',
      'best verifying peer',
      'bound',
      'against CloudStack',
      'against the best peer',
      'against the bound',
    ]),
    row(Array(9).fill('---')),
    ...rows,
    '',
    ...overall.map((target) => `- ${formatTarget(target)}`),
  ];
}

/** `≥ 3.5×: **3.81×** ✔` */
function formatTarget({ text, value, met }: JudgedTarget): string {
  if (value === undefined) return `${text}: not measured`;
  return `${text}: **${value}** ${met ? '✔' : '✘'}`;
}

function formatCase({ name, title, imageBytes, dataBytes, entries }: CaseResult): string[] {
  const sizes = `${formatMebibytes(imageBytes)}, of which ${formatMebibytes(dataBytes)} are not zeros`;
  return [
    `### ${name}: ${title}`,
    '',
    `Stored: ${sizes}.`,
    '',
    row(['', 'seconds', 'CPU seconds', 'written / image', 'largest process', 'all processes']),
    row(['---', '---', '---', '---', '---', '---']),
    ...entries.map((entry) => formatEntry(entry, imageBytes)),
  ];
}

function formatEntry(entry: Entry, imageBytes: number): string {
  const name = inCell(entry.name);
  if (entry.missing !== undefined) return row([name, `${inCell(entry.missing)} is missing`, '', '', '', '']);
  const { runs } = entry;
  const of = (pick: (run: Entry['runs'][number]) => number) => median(runs.map(pick)) ?? 0;
  const most = (pick: (run: Entry['runs'][number]) => number) => Math.max(0, ...runs.map(pick));
  const failed = entry.failure === undefined ? '' : `✘ ${inCell(entry.failure)}`;
  if (runs.length === 0) return row([name, failed, '', '', '', '']);
  return row([
    name,
    failed === '' ? formatTimes(entry) : failed,
    formatSeconds(of(({ cpuSeconds }) => cpuSeconds)),
    entry.kind === 'bound' ? '' : (of(({ writtenBytes }) => writtenBytes) / imageBytes).toFixed(3),
    formatMebibytes(most(({ largestProcessBytes }) => largestProcessBytes)),
    formatMebibytes(most(({ allProcessesBytes }) => allProcessesBytes)),
  ]);
}

/** `1.31 (1.27–1.40)` */
function formatTimes(entry: Entry | undefined): string {
  if (entry === undefined || entry.missing !== undefined) return '–';
  const seconds = secondsOf(entry);
  if (seconds === undefined) return 'failed';
  const times = entry.runs.map((run) => run.seconds);
  return `${formatSeconds(seconds)} (${formatSeconds(Math.min(...times))}–${formatSeconds(Math.max(...times))})`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

/** A bar in a cell would end it. */
function inCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');
}
