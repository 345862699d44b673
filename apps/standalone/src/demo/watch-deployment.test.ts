import assert from 'node:assert/strict';
import test from 'node:test';
import type { Job, JobAttempt, JobProgress } from '@millrace/api-client';
import { liveLine, orderedPhases, phaseTable, viewDeployment } from './watch-deployment.ts';

function recorder() {
  const lines: string[] = [];
  const live: string[] = [];
  const view = viewDeployment({
    line: (text) => lines.push(text.trim()),
    live: (text) => live.push(text.trim()),
  });
  const update = (
    progress: JobProgress | undefined,
    attempts: JobAttempt[],
    status: Job['status'] = 'pending',
  ) =>
    view.update({
      jobid: 'j',
      status,
      attempts,
      answer: {},
      ...(progress === undefined ? {} : { progress }),
    });
  return { lines, live, update };
}

const dead = {
  url: 'http://127.0.0.1:9/t',
  sourcerank: 1,
  checksumattempt: 1,
  trynumber: 1,
  state: 'failed',
  message: 'connection refused',
  next: 'next-source',
};
const good = {
  url: 'http://127.0.0.1:81/t',
  sourcerank: 2,
  checksumattempt: 1,
  trynumber: 1,
  state: 'running',
};

test('hosts, mirrors, their failures and phases are each told once, in the order in which they show up', () => {
  const { lines, live, update } = recorder();
  const attempt = { host: 'box', pool: 'box-local', state: 'running' };
  update({ phase: 'planning' }, [{ ...attempt, sources: [] }]);
  update({ phase: 'transferring' }, [{ ...attempt, sources: [dead, good] }]);
  const transferring = {
    phase: 'transferring',
    bytes: 7e6,
    totalbytes: 14e6,
    bytespersecond: 5.9e6,
    etaseconds: 1.2,
  };
  update(transferring, [{ ...attempt, sources: [dead, { ...good, bytes: 7e6 }] }]);
  update({ phase: 'starting', phasems: { committed: 20, starting: 5, verifying: 10, transferring: 2400 } }, [
    { ...attempt, sources: [dead, { ...good, state: 'succeeded', bytes: 14e6, durationms: 2400 }] },
  ]);
  assert.deepEqual(lines, [
    'host chosen: box, pool box-local',
    'reading the list of mirrors',
    '✘ mirror 1: http://127.0.0.1:9/t failed: connection refused → the next mirror',
    'transferring: the host streams the image straight into its pool',
    '→ mirror 2: http://127.0.0.1:81/t',
    '✔ mirror 2: http://127.0.0.1:81/t: 14.0 MB in 2.4 s',
    'verifying the digest of the transferred bytes (0.01 s)',
    'committed: the pool has the image, whole and verified (0.02 s)',
    'starting the VM',
  ]);
  assert.deepEqual(live, ['7.0 MB of 14.0 MB (50 %)  5.9 MB/s  1.2 s left']);
});

test('a host that fails is told with its reason, and the next host after it', () => {
  const { lines, update } = recorder();
  const failed = {
    host: 'a',
    state: 'failed',
    message: 'no space',
    next: 'next-host',
    sources: [],
  };
  update(undefined, [failed, { host: 'b', state: 'running', sources: [] }]);
  assert.deepEqual(lines, [
    'host chosen: a',
    '✘ this host failed: no space → the next host',
    'host chosen: b',
  ]);
});

test('phases are listed in the order of a deployment, whatever order they arrive in', () => {
  const phases = { starting: 1, odd: 2, 'host-chosen': 3, unpacking: 4, verifying: 5 };
  assert.deepEqual(
    orderedPhases(phases).map(([name]) => name),
    ['host-chosen', 'verifying', 'unpacking', 'starting', 'odd'],
  );
});

test('a transfer of unknown length shows what is known', () => {
  assert.equal(liveLine({ phase: 'transferring', bytes: 1500 }), '1.5 kB');
  assert.equal(liveLine({ phase: 'transferring' }), undefined);
  assert.equal(liveLine({ phase: 'transferring', bytes: 0, totalbytes: 5 }), undefined);
});

test('the table of phases is aligned and shows where the time went', () => {
  assert.deepEqual(
    phaseTable([
      ['transferring', 3000],
      ['starting', 100],
      ['none', 0],
    ]),
    [
      `    transferring     3.0 s  ${'▇'.repeat(30)}`,
      '    starting        0.10 s  ▇',
      '    none            0.00 s',
    ],
  );
});
