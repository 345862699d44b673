import { printable } from '../output/console.ts';
import type { CliContext } from '../run/context.ts';
import { complete } from './complete.ts';
import { completionDependencies } from './completion-context.ts';

/**
 * `__complete LINE`, for the scripts of `millrace completion`. LINE is what was typed up to the cursor, the program's
 * name included. One candidate a line, its description after a tab; `:files` and what stands before the path when files
 * are meant.
 */
export async function printCompletions(context: CliContext, line: string): Promise<void> {
  const typed = line.trimStart().replace(/^\S+\s?/, '');
  const { candidates, filesAfter } = await complete(
    typed,
    completionDependencies(context, typed, context.signal),
  );
  const lines =
    filesAfter === undefined
      ? candidates.map(({ value, description }) => `${printable(value)}\t${printable(description ?? '')}`)
      : [`:files\t${filesAfter}`];
  context.console.stdout.write(lines.map((text) => `${text}\n`).join(''));
}
