import { type ExitCode, exitCodes } from '../exit-codes.ts';
import { Interrupted, UsageError } from '../failures.ts';
import { type GlobalOptions, splitOptions } from '../grammar/options.ts';
import { printableLines } from '../output/console.ts';
import type { CliContext } from './context.ts';

/**
 * Runs one line of words, from the command line or the shell, and prints what comes of it.
 * @returns the exit status; failures are printed, never thrown
 */
export async function runLine(context: CliContext, argv: readonly string[]): Promise<ExitCode> {
  try {
    if (argv[0] === 'fetch') {
      const { runFetch } = await import('./fetch.ts');
      return await runFetch(context, argv.slice(1));
    }
    const { options, words } = splitOptions(argv);
    await dispatch(context, words, options);
    return exitCodes.ok;
  } catch (error) {
    // whoever pressed Ctrl-C knows; what goes on all the same has been said where it was known
    if (error instanceof Interrupted) return exitCodes.interrupted;
    // loaded late: it knows the errors of the API client, which a plain `--version` need not wait for
    const { describeFailure, exitCodeOf } = await import('../describe-failure.ts');
    context.console.stderr.write(`${printableLines(describeFailure(error))}\n`);
    return exitCodeOf(error);
  }
}

async function dispatch(
  context: CliContext,
  words: readonly string[],
  options: GlobalOptions,
): Promise<void> {
  const { stdout } = context.console;
  const word = words[0]?.toLowerCase() ?? '';
  if (options.version || (word === 'version' && words.length === 1)) {
    const { default: manifest } = await import('../../package.json', { with: { type: 'json' } });
    stdout.write(`millrace ${manifest.version}\n`);
    return;
  }
  if (options.help || word === 'help' || word === '') {
    return printHelp(context, word === 'help' ? words.slice(1) : words, options);
  }
  switch (word) {
    case 'set':
      return (await import('./settings.ts')).runSet(context, words.slice(1), options);
    case 'show':
      return (await import('./settings.ts')).runShow(context, words.slice(1), options);
    case 'console':
      return (await import('./console.ts')).runConsole(context, words.slice(1), options);
    case 'completion':
      stdout.write(await printedScript(words[1], context.signal));
      return;
    case 'server':
    case 'agent':
      return (await import('./help.ts')).daemonOnly(word);
    case 'sync':
      // there is an API that begins with this word, so only the bare one is ours
      if (words.length === 1) return runSync(context, options);
  }
  const { callCommand } = await import('./call-command.ts');
  return callCommand(context, words, options);
}

async function printHelp(
  context: CliContext,
  words: readonly string[],
  options: GlobalOptions,
): Promise<void> {
  const { stdout } = context.console;
  const { generalHelp, helpFor, ownHelp } = await import('./help.ts');
  const { connect } = await import('./connect.ts');
  const [word] = words;
  if (word === 'fetch') stdout.write((await import('./fetch-options.ts')).fetchHelp);
  else if (word === undefined) {
    // help must work with a broken configuration, too
    const kept = await connect(context, options.profile, { signal: context.signal })
      .then((connection) => connection.keptCatalogue())
      .catch(() => undefined);
    stdout.write(generalHelp(kept));
  } else {
    const own = words.length === 1 ? ownHelp(word.toLowerCase()) : undefined;
    if (own !== undefined) stdout.write(own);
    else {
      const connection = await connect(context, options.profile, { signal: context.signal });
      stdout.write(await connection.withCatalogue((catalogue) => helpFor(catalogue, words)));
    }
  }
}

async function runSync(context: CliContext, options: GlobalOptions): Promise<void> {
  const { connect } = await import('./connect.ts');
  const connection = await connect(context, options.profile, { signal: context.signal });
  const { commands } = await connection.refresh();
  const { name, profile } = connection.selected;
  if (commands.length === 0) throw new UsageError(`${profile.url} offers no command to profile ${name}.`);
  context.console.stdout.write(`${commands.length} commands of ${profile.url}, kept for profile ${name}\n`);
}

async function printedScript(shell: string | undefined, signal: AbortSignal): Promise<string> {
  const { completionScript } = await import('../shell/completion-scripts.ts');
  return completionScript(shell, signal);
}
