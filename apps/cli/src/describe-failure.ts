import { ApiCallError, ApiConnectionError, JobFailedError } from '@millrace/api-client';
import { describeError } from '@millrace/core';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { CredentialsError, Interrupted, UsageError } from './failures.ts';

/** The exit status that tells a script what kind of failure this was. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return exitCodes.usage;
  if (error instanceof CredentialsError) return exitCodes.authentication;
  if (error instanceof Interrupted) return exitCodes.interrupted;
  if (error instanceof ApiConnectionError) return exitCodes.connection;
  if (error instanceof JobFailedError) return exitCodes.failed;
  if (error instanceof ApiCallError) {
    const refused = error.errorcode === 401 || (error.errorcode === 531 && error.command === 'login');
    return refused ? exitCodes.authentication : exitCodes.failed;
  }
  return exitCodes.failed;
}

/** The message for the person at the keyboard: what happened, and what to do about it where that is known. */
export function describeFailure(error: unknown): string {
  if (error instanceof UsageError || error instanceof CredentialsError) return error.message;
  if (error instanceof ApiConnectionError) {
    return `${error.message}\nAnother server: millrace set url URL, or MILLRACE_URL.`;
  }
  if (error instanceof ApiCallError) {
    const codes =
      error.cserrorcode === undefined ? `${error.errorcode}` : `${error.errorcode}, ${error.cserrorcode}`;
    const hint =
      exitCodeOf(error) === exitCodes.authentication
        ? `\nCheck the credentials: millrace show config; ${error.command === 'login' ? 'millrace set password -' : 'millrace set apikey KEY; millrace set secretkey -'}`
        : '';
    return `${error.command} failed: ${laidOut(errorTextOf(error))} (error ${codes})${hint}${leftBehind(error)}`;
  }
  return describeError(error);
}

/** A failed job's text repeats its attempts for clients that cannot show them; here they stand above it. */
function errorTextOf(error: ApiCallError): string {
  if (!(error instanceof JobFailedError) || error.job.attempts.length === 0) return error.errortext;
  const told = /; \d+ attempt(?:s|\(s\))?: 1\. /.exec(error.errortext);
  if (told === null) return error.errortext;
  const others = /No other host is suitable: .*$/s.exec(error.errortext)?.[0];
  return `${error.errortext.slice(0, told.index)}.${others === undefined ? '' : ` ${others}`}`;
}

/** Several mirrors, and what to do next, each on a line of its own. */
function laidOut(text: string): string {
  const lines = text.replaceAll(/ (?=Next: )/g, '\n');
  if (!/; https?:\/\//.test(lines)) return lines;
  return lines.replaceAll(/([:;]) (?=https?:\/\/)/g, '$1\n  ');
}

/** An instance that could not be deployed is still there, in state Error. */
function leftBehind(error: ApiCallError): string {
  if (!(error instanceof JobFailedError) || error.command !== 'deployVirtualMachine') return '';
  const instance = error.job.answer['jobinstanceid'];
  if (typeof instance !== 'string') return '';
  return `\nThe instance stays in the list, in state Error. To remove it: millrace destroy virtualmachine id=${instance} expunge=true`;
}
