import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiCallError, decodeJob, JobFailedError, type JsonObject } from '@millrace/api-client';
import { describeFailure } from './describe-failure.ts';

const refusal = (errortext: string) =>
  describeFailure(new ApiCallError('registerTemplate', { errorcode: 431, cserrorcode: 4350, errortext }));

test('mirrors stand on lines of their own, and so does what to do next', () => {
  assert.equal(
    refusal('none of the 2 mirrors is usable: http://a/x: refused; https://b/x: not found. Next: ask them.'),
    [
      'registerTemplate failed: none of the 2 mirrors is usable:',
      '  http://a/x: refused;',
      '  https://b/x: not found.',
      'Next: ask them. (error 431, 4350)',
    ].join('\n'),
  );
});

test('one source stays in its sentence', () => {
  assert.equal(
    refusal('the source is not usable: http://a/x: refused'),
    'registerTemplate failed: the source is not usable: http://a/x: refused (error 431, 4350)',
  );
});

function failedDeploy(errortext: string, more: JsonObject = {}): string {
  const job = decodeJob({ jobid: 'j', jobstatus: 2, jobresult: { errorcode: 530, errortext }, ...more });
  return describeFailure(new JobFailedError('deployVirtualMachine', job));
}

const told =
  'It could not be brought up; 1 attempt(s): 1. host a: no [try 1: no] No other host is suitable: b: it is down.';

test('attempts that were listed are not repeated in the sentence that ends the job', () => {
  const listed = { jobattempts: [{ host: 'a', state: 'failed', message: 'no' }] };
  assert.equal(
    failedDeploy(told, listed),
    'deployVirtualMachine failed: It could not be brought up. No other host is suitable: b: it is down. (error 530)',
  );
  assert.equal(failedDeploy(told), `deployVirtualMachine failed: ${told} (error 530)`);
});

test('whoever sees a deployment fail learns how to remove what it left', () => {
  assert.match(
    failedDeploy('no', { jobinstanceid: 'v-1' }),
    /\n.*millrace destroy virtualmachine id=v-1 expunge=true$/,
  );
});
