import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeApis } from './api-description.ts';
import { decodeJob } from './job.ts';

test('a pending job has its progress and the attempts so far', () => {
  const job = decodeJob({
    jobid: 'j1',
    jobstatus: 0,
    jobprogress: {
      phase: 'transferring',
      percent: 27,
      hostname: 'node1',
      bytes: 12,
      phasems: { x: 5, y: 'no' },
    },
    jobattempts: [
      {
        host: 'node1',
        pool: 'p',
        state: 'running',
        sources: [{ url: 'http://m/a', trynumber: 1, state: 'running' }],
      },
    ],
  });
  assert.equal(job.status, 'pending');
  assert.equal(job.result, undefined);
  assert.deepEqual(job.progress, {
    phase: 'transferring',
    percent: 27,
    hostname: 'node1',
    bytes: 12,
    phasems: { x: 5 },
  });
  assert.deepEqual(job.attempts, [
    {
      host: 'node1',
      pool: 'p',
      state: 'running',
      sources: [{ url: 'http://m/a', trynumber: 1, state: 'running' }],
    },
  ]);
});

test('a failed job has the code and the text of its error, and no result', () => {
  const job = decodeJob({
    jobid: 'j1',
    jobstatus: 2,
    jobresultcode: 530,
    jobresult: { errorcode: 530, errortext: 'no host' },
  });
  assert.deepEqual(
    [job.status, job.errorcode, job.errortext, job.result],
    ['failed', 530, 'no host', undefined],
  );
});

test('a job that is done has a result even when the server sent none', () => {
  assert.deepEqual(decodeJob({ jobid: 'j', jobstatus: 1 }).result, {});
  assert.deepEqual(decodeJob({ jobid: 'j', jobstatus: 1, jobresult: { success: true } }).result, {
    success: true,
  });
});

test('a status that nobody knows is not taken for the end', () => {
  assert.equal(decodeJob({ jobid: 'j', jobstatus: 17 }).status, 'pending');
});

test('members of the wrong type in progress and attempts are left out instead of believed', () => {
  const job = decodeJob({
    jobid: 'j',
    jobstatus: 0,
    jobprogress: { percent: {} },
    jobattempts: [null, 3, { sources: 'x' }],
  });
  assert.deepEqual(job.progress, { phase: 'running' });
  assert.deepEqual(job.attempts, [{ sources: [] }]);
});

test('descriptions of commands drop the nameless entries that CloudStack sends', () => {
  assert.deepEqual(
    decodeApis({
      count: 2,
      api: [
        {},
        {
          name: 'listZones',
          isasync: false,
          description: 'Lists zones',
          params: [{ name: 'Id', type: 'uuid', required: true, length: 255, description: 'the id' }, {}],
          response: [
            {},
            { name: 'tags', type: 'set', description: 't', response: [{ name: 'key', type: 'string' }] },
          ],
        },
      ],
    }),
    [
      {
        name: 'listZones',
        isasync: false,
        description: 'Lists zones',
        params: [{ name: 'id', type: 'uuid', required: true, description: 'the id', length: 255 }],
        response: [
          {
            name: 'tags',
            type: 'set',
            description: 't',
            response: [{ name: 'key', type: 'string', description: '' }],
          },
        ],
      },
    ],
  );
});
