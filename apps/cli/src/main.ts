import { readFile } from 'node:fs/promises';
import { configPath, statePath } from './catalogue/paths.ts';
import { Interrupted } from './failures.ts';
import type { Output } from './output/console.ts';
import type { CliContext } from './run/context.ts';
import { runLine } from './run/run-line.ts';

const argv = process.argv.slice(2);
const interrupt = new AbortController();
const context: CliContext = {
  console: { stdout: outputOf(process.stdout), stderr: outputOf(process.stderr) },
  environment: process.env,
  paths: { config: configPath(process.env), state: statePath(process.env) },
  readFile: (path, signal) => readFile(path, { encoding: 'utf8', signal }),
  readSecret: async (signal) => (await import('./shell/read-secret.ts')).readSecret(process.stdin, signal),
  // looked at by nobody else, so it costs nothing to others
  get input() {
    return process.stdin;
  },
  clock: () => performance.now(),
  signal: interrupt.signal,
};

// a reader that has had enough (`| head`) is no failure of ours
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`The output cannot be written: ${error.message}\n`);
  process.exit(1);
});

if (argv[0] === '__complete') {
  const { printCompletions } = await import('./shell/print-completions.ts');
  await printCompletions(context, argv[1] ?? '');
} else if (argv.length === 0) {
  const { runShell } = await import('./shell/shell.ts');
  process.exitCode = await runShell(context, process.stdin, process.stdout);
} else {
  // a second Ctrl-C gets through when the first one did not help
  process.once('SIGINT', () => interrupt.abort(new Interrupted()));
  process.once('SIGTERM', () => interrupt.abort(new Interrupted()));
  process.exitCode = await runLine(context, argv);
}

function outputOf(stream: NodeJS.WriteStream): Output {
  return {
    write: (text) => void stream.write(text),
    get isTty() {
      return stream.isTTY === true;
    },
    get columns() {
      return stream.columns || 80;
    },
  };
}
