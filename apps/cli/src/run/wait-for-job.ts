import { type ApiClient, JobFailedError, type JsonObject } from '@millrace/api-client';
import { Interrupted } from '../failures.ts';
import { formatAttempts } from '../output/attempts.ts';
import { printable } from '../output/console.ts';
import { makeJobDisplay } from '../output/job-display.ts';
import { makeLiveLine } from '../output/live-line.ts';
import type { CliContext } from './context.ts';

/**
 * Waits for a job, showing what it does on stderr.
 * @returns the job's result
 * @throws JobFailedError, after every attempt was listed on stderr; Interrupted, after saying that the job goes on
 */
export async function waitShowing(
  context: Pick<CliContext, 'console' | 'clock' | 'signal'>,
  client: ApiClient,
  job: { readonly id: string; readonly quiet: boolean },
): Promise<JsonObject> {
  const { stderr } = context.console;
  const live = makeLiveLine(stderr);
  const display = makeJobDisplay({ live, isTty: stderr.isTty, clock: context.clock });
  try {
    const { result } = await client.waitForJob(job.id, {
      signal: context.signal,
      pollMs: stderr.isTty ? 400 : 1000,
      ...(job.quiet
        ? {}
        : {
            onUpdate: (update) => display.update(update),
            // the advice of such an error is about settings, and these were right a moment ago
            onTrouble: (error) => display.trouble(firstSentence(error.message)),
          }),
    });
    display.finish('done');
    return result ?? {};
  } catch (error) {
    display.finish(error instanceof JobFailedError ? 'failed' : 'left');
    if (error instanceof JobFailedError) stderr.write(formatAttempts(error.job.attempts, true));
    else {
      const why = error instanceof Interrupted ? 'Interrupted' : 'Waiting was given up';
      stderr.write(
        `${why}. The job goes on; see how it does: millrace query asyncjobresult jobid=${printable(job.id)}\n`,
      );
    }
    throw error;
  }
}

function firstSentence(text: string): string {
  return /^.*?[.!?](?= |$)/s.exec(text)?.[0] ?? text;
}
