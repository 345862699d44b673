import { secondsOf } from './judge.ts';
import type { CaseResult, Entry, Results } from './results.ts';
import { formatSeconds } from './statistics.ts';

/** One bar for each entry of each case, its length the median, with a line from the fastest to the slowest round. */

const width = 960;
const labelWidth = 270;
const barWidth = width - labelWidth - 130;
const barHeight = 16;
const headHeight = 34;

const colours: Readonly<Record<Entry['kind'], string>> = {
  millrace: '#1668dc',
  cloudstack: '#d4380d',
  peer: '#8c8c8c',
  bound: '#52c41a',
};
const unverifiedColour = '#d9d9d9';

/** @returns SVG */
export function plotResults({ cases }: Results): string {
  let y = 10;
  const parts: string[] = [];
  for (const each of cases) {
    const { svg, height } = plotCase(each, y);
    parts.push(svg);
    y += height;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y + 10}" viewBox="0 0 ${width} ${y + 10}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="#ffffff"/>
${parts.join('\n')}
</svg>
`;
}

function plotCase({ title, entries }: CaseResult, top: number): { svg: string; height: number } {
  const shown = entries.filter((entry) => secondsOf(entry) !== undefined);
  const longest = Math.max(0.001, ...shown.flatMap(({ runs }) => runs.map(({ seconds }) => seconds)));
  const scale = (seconds: number) => ((seconds / longest) * barWidth).toFixed(1);
  const bars = shown.map((entry, index) => {
    const seconds = secondsOf(entry)!;
    const times = entry.runs.map((run) => run.seconds);
    const y = top + headHeight + index * barHeight;
    const middle = y + barHeight / 2 - 1;
    const colour = entry.kind === 'peer' && !entry.verifies ? unverifiedColour : colours[entry.kind];
    const slowest = Math.max(...times);
    return [
      `<text x="${labelWidth - 8}" y="${middle + 4}" text-anchor="end">${inMarkup(entry.name)}</text>`,
      `<rect x="${labelWidth}" y="${y}" width="${scale(seconds)}" height="${barHeight - 3}" fill="${colour}"/>`,
      `<path d="M${labelWidth + Number(scale(Math.min(...times)))} ${middle}H${labelWidth + Number(scale(slowest))}" stroke="#000000"/>`,
      `<text x="${labelWidth + Number(scale(slowest)) + 6}" y="${middle + 4}">${formatSeconds(seconds)} s</text>`,
    ].join('\n');
  });
  const heading = `<text x="10" y="${top + 20}" font-size="14" font-weight="bold">${inMarkup(title)}</text>`;
  return { svg: [heading, ...bars].join('\n'), height: headHeight + shown.length * barHeight + 8 };
}

function inMarkup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
