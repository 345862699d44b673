import {
  type ApiDescription,
  decodeJob,
  JobFailedError,
  type JsonObject,
  textMember,
} from '@millrace/api-client';
import { findCommand } from '../catalogue/catalogue.ts';
import { readArguments } from '../grammar/arguments.ts';
import { readFileValues } from '../grammar/file-values.ts';
import { nearest } from '../grammar/nearest.ts';
import { type GlobalOptions, type OutputFormat, readFormat } from '../grammar/options.ts';
import { formatAttempts } from '../output/attempts.ts';
import { allColumnsOf } from '../output/columns.ts';
import { printable } from '../output/console.ts';
import { progressLine } from '../output/job-display.ts';
import { render } from '../output/render.ts';
import { readResult } from '../output/result.ts';
import { valueAt } from '../output/values.ts';
import { connect } from './connect.ts';
import type { CliContext } from './context.ts';
import { waitShowing } from './wait-for-job.ts';

interface Shown {
  readonly api: ApiDescription;
  readonly format: OutputFormat;
  readonly filter: readonly string[] | undefined;
  readonly wide: boolean;
}

/** Calls the command that a line names, waits for its job, and prints the answer. Failures are thrown. */
export async function callCommand(
  context: CliContext,
  words: readonly string[],
  options: GlobalOptions,
): Promise<void> {
  const { signal, console } = context;
  const connection = await connect(context, options.profile, { signal });
  const { api, given } = await connection.withCatalogue((catalogue) => {
    const { command, rest } = findCommand(catalogue, words);
    return { api: command.api, given: readArguments(command, rest) };
  });
  const format = options.output ?? readFormat(connection.selected.profile.output ?? 'table');
  const shown: Shown = { api, format, filter: given.filter, wide: options.wide ?? false };
  const params = await readFileValues(given.params, context.readFile, signal);
  const client = await connection.client();
  const answer = await client.call(api.name, params, { signal });
  const jobid = api.isasync ? textMember(answer, 'jobid') : undefined;
  if (jobid === undefined || options.noWait) return show(context, answer, shown);
  try {
    const job = { id: jobid, quiet: options.quiet ?? false };
    show({ console }, await waitShowing(context, client, job), shown);
  } catch (error) {
    if (!(error instanceof JobFailedError)) throw error;
    // for a program that reads JSON, the attempts are data too
    if (format === 'json') show({ console }, error.job.answer, shown);
    // the job's own name for the command is a class; a person knows the one that was typed
    throw new JobFailedError(api.name, error.job);
  }
}

function show({ console }: Pick<CliContext, 'console'>, answer: JsonObject, shown: Shown): void {
  const { stdout, stderr } = console;
  const { api, format, filter, wide } = shown;
  const width = stdout.isTty ? stdout.columns : undefined;
  for (const warning of unknownFields(answer, shown)) stderr.write(`${warning}\n`);
  const forPeople = format === 'table' || format === 'text';
  if (forPeople && filter === undefined && api.name === 'queryAsyncJobResult') {
    const { jobprogress: _progress, jobattempts: _attempts, ...plain } = answer;
    const job = decodeJob(answer);
    stdout.write(render(plain, { api, format, wide, width }));
    const pending = job.status === 'pending';
    if (job.progress && pending) stdout.write(`\n${printable(progressLine(job))}\n`);
    if (job.attempts.length > 0) stdout.write(`\n${formatAttempts(job.attempts, !pending)}`);
  } else stdout.write(render(answer, { api, format, filter, wide, width }));
}

/** Filtered fields that neither the answer nor the description has: probably misspelt. */
function unknownFields(answer: JsonObject, { api, filter }: Shown): string[] {
  if (filter === undefined) return [];
  const result = readResult(answer, api.name);
  const rows = result.kind === 'list' ? result.rows : [result.row];
  if (rows.length === 0) return [];
  const known = new Set([...allColumnsOf([], rows), ...api.response.map((field) => field.name)]);
  const lower = new Set([...known].map((name) => name.toLowerCase()));
  return filter
    .filter((path) => !lower.has(path.split('.')[0]!.toLowerCase()) && valueAt(rows[0]!, path) === undefined)
    .map((path) => {
      const meant = nearest(path, known);
      return printable(`The answer has no field ${path}.${meant ? ` Did you mean ${meant}?` : ''}`);
    });
}
