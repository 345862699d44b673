import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline/promises';
import { describeFailure } from '../describe-failure.ts';
import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { Interrupted } from '../failures.ts';
import { wordsOf } from '../grammar/split-words.ts';
import { selectProfile } from '../run/connect.ts';
import type { CliContext } from '../run/context.ts';
import { runLine } from '../run/run-line.ts';
import { complete } from './complete.ts';
import { completionDependencies } from './completion-context.ts';
import { loadHistory, saveHistory } from './history.ts';

/**
 * The interactive shell; without a terminal, commands are read from standard input one a line (`#` begins a comment).
 * @returns the exit status of the last command that failed; 0 when none did, or when the shell is left at a terminal
 */
export async function runShell(
  context: CliContext,
  input: NodeJS.ReadStream,
  output: NodeJS.WriteStream,
): Promise<ExitCode> {
  const isTty = input.isTTY === true && output.isTTY === true;
  const historyPath = join(context.paths.state, 'history');
  const lines = createInterface({
    input,
    ...(isTty
      ? {
          output,
          terminal: true,
          history: await loadHistory(historyPath, context.signal),
          historySize: 1000,
          removeHistoryDuplicates: true,
          completer: (line: string) => completeLine(context, line),
        }
      : { terminal: false }),
  });
  // at once: lines that come while nobody iterates are lost, and people type ahead
  const entered = lines[Symbol.asyncIterator]();
  const closed = new AbortController();
  lines.once('close', () => closed.abort());
  let running: AbortController | undefined;
  const interrupt = () => {
    if (running) running.abort(new Interrupted());
    else if (isTty) abandonLine(lines);
    else lines.close();
  };
  lines.on('SIGINT', interrupt);
  process.on('SIGINT', interrupt);
  let history: readonly string[] = [];
  lines.on('history', (entries: string[]) => {
    history = [...entries];
  });
  try {
    if (isTty) output.write('Type help, or a command; Tab completes, exit leaves.\n');
    const failed = await readCommands(
      { context, lines, entered, isTty, closed: closed.signal },
      (controller) => {
        running = controller;
      },
    );
    return isTty ? exitCodes.ok : failed;
  } finally {
    process.off('SIGINT', interrupt);
    lines.close();
    // a history that cannot be kept must not spoil the way out
    if (isTty && history.length > 0) await saveHistory(historyPath, history, context.signal).catch(() => {});
  }
}

interface Prompting {
  readonly context: CliContext;
  readonly lines: Interface;
  readonly isTty: boolean;
  /** Aborted at the end of the input, after which lines that were typed ahead still run but nothing may be prompted. */
  readonly closed: AbortSignal;
}

async function readCommands(
  shell: Prompting & { readonly entered: AsyncIterator<string> },
  setRunning: (controller: AbortController | undefined) => void,
): Promise<ExitCode> {
  const { context, entered, isTty } = shell;
  let failed: ExitCode = exitCodes.ok;
  await prompt(shell);
  for (let next = await entered.next(); !next.done; next = await entered.next()) {
    const text = next.value.trim();
    if (/^(exit|quit)$/i.test(text)) break;
    if (text !== '' && !text.startsWith('#')) {
      const controller = new AbortController();
      setRunning(controller);
      const code = await runText({ ...context, signal: controller.signal }, text);
      setRunning(undefined);
      if (code !== exitCodes.ok) failed = code;
      if (code === exitCodes.interrupted && !isTty) break;
    }
    await prompt(shell);
  }
  return failed;
}

async function runText(context: CliContext, text: string): Promise<ExitCode> {
  const { words, openQuote } = wordsOf(text);
  if (openQuote === undefined) return runLine(context, words);
  context.console.stderr.write(`The quote ${openQuote} is never closed.\n`);
  return exitCodes.usage;
}

async function prompt(shell: Prompting): Promise<void> {
  if (!shell.isTty) return;
  const { context, lines } = shell;
  // read anew each time: a command may have changed the profile
  const name = await selectProfile(context, undefined, context.signal)
    .then((selected) => selected.name)
    .catch((error: unknown) => {
      context.console.stderr.write(`${describeFailure(error)}\n`);
      return '?';
    });
  if (shell.closed.aborted) return;
  lines.setPrompt(`(${name}) millrace> `);
  lines.prompt();
}

/** Ctrl-C at the prompt: what was typed is dropped, as in any shell. */
function abandonLine(lines: Interface): void {
  lines.write(null, { ctrl: true, name: 'e' });
  lines.write(null, { ctrl: true, name: 'u' });
  lines.prompt();
}

/** Readline replaces the second by one of the first; with several, names are shown beside ids. */
async function completeLine(context: CliContext, line: string): Promise<[string[], string]> {
  const { candidates, word } = await complete(line, completionDependencies(context, line, context.signal));
  if (!line.endsWith(word)) return [[], word];
  const only = candidates.length === 1;
  const texts = candidates.map(({ value, description }) => {
    if (only) return /[=.]$/.test(value) ? value : `${value} `;
    return description && /\d/.test(value) ? `${value}  (${description})` : value;
  });
  return [texts, word];
}
