import { connectionFaults } from './faults/connections.ts';
import { contentFaults } from './faults/contents.ts';
import { type Fault, type FaultTable, tweaked } from './faults/fault.ts';
import { framingFaults } from './faults/framing.ts';
import { rangeFaults } from './faults/ranges.ts';
import { redirectFaults } from './faults/redirects.ts';
import { statusFaults } from './faults/statuses.ts';
import { versionFaults } from './faults/versions.ts';

export { basicCredentials } from './faults/statuses.ts';

/** Path segment → what goes wrong. A `%` in a name stands for a number. */
export const faults: FaultTable = {
  /** Nothing: ranges, validators, keep-alive. */
  ok: tweaked({}),
  ...statusFaults,
  ...redirectFaults,
  ...contentFaults,
  ...rangeFaults,
  ...versionFaults,
  ...connectionFaults,
  ...framingFaults,
};

/** Finds the fault of a path segment; `reset-at-50` is the row `reset-at-%` with 50. */
export function faultOf(segment: string): { readonly fault: Fault; readonly number: number } | undefined {
  const exact = faults[segment];
  if (exact) return { fault: exact, number: 1 };
  const match = /^(.*-)(\d{1,9})$/.exec(segment);
  const numbered = match && faults[`${match[1]}%`];
  return numbered ? { fault: numbered, number: Number(match[2]) } : undefined;
}

const withoutFile = /^(\d+|hang|close|not-http|redirect.*|web-page|empty)$/;

/** False for the faults that work with any name, or with none. */
export function needsFile(segment: string): boolean {
  return !withoutFile.test(segment);
}
