import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJob, type JsonObject } from '@millrace/api-client';
import { formatAttempts } from './attempts.ts';
import { makeJobDisplay, progressLine } from './job-display.ts';

const dead = {
  url: 'http://dead/a.qcow2',
  sourcerank: 1,
  trynumber: 1,
  checksumattempt: 1,
  state: 'failed',
  bytes: 0,
  durationms: 120,
  reason: 'CONNECT_REFUSED',
  message: 'connection refused',
  next: 'next-source',
};
const good = {
  url: 'http://good/a.qcow2',
  sourcerank: 2,
  state: 'running',
  bytes: 12_300_000,
  totalbytes: 45_000_000,
};
const pending = (jobprogress: JsonObject, sources: JsonObject[] = []) =>
  decodeJob({
    jobid: 'j',
    jobstatus: 0,
    jobprogress,
    jobattempts: [{ host: 'node1', pool: 'local', state: 'running', sources }],
  });

const transferring = pending(
  {
    phase: 'transferring',
    percent: 27.9,
    hostname: 'node1',
    url: 'http://good/a.qcow2',
    sourcecount: 2,
    bytes: 12_300_000,
    totalbytes: 45_000_000,
    bytespersecond: 40_000_000,
    etaseconds: 0.8,
  },
  [dead, good],
);

test('the line of a transfer says host, source, bytes, percent, rate and time left', () => {
  assert.equal(
    progressLine(transferring),
    '27% transferring · host node1 · 12.3/45.0 MB · 40 MB/s · ETA 1 s · mirror 2/2 http://good/a.qcow2',
  );
  assert.equal(progressLine(pending({ phase: 'starting', percent: 90 })), '90% starting');
  assert.equal(progressLine(decodeJob({ jobid: 'j', jobstatus: 0 })), 'pending');
});

function recordingLive() {
  const calls: string[] = [];
  return {
    calls,
    live: {
      show: (text: string) => void calls.push(`~ ${text}`),
      print: (text: string) => void calls.push(text),
      clear: () => void calls.push('clear'),
    },
  };
}

test('on a terminal each phase that is over stays as a line with its duration', () => {
  const { calls, live } = recordingLive();
  let now = 0;
  const display = makeJobDisplay({ live, isTty: true, clock: () => now });
  display.update(pending({ phase: 'host-chosen', percent: 1, hostname: 'node1' }));
  now = 250;
  display.update(transferring);
  display.update(
    pending(
      {
        phase: 'starting',
        percent: 80,
        hostname: 'node1',
        phasems: { transferring: 1200, inspecting: 7, verifying: 30, starting: 1 },
      },
      [
        { ...dead, message: 'connection refused: 10.0.0.1:80' },
        { ...good, state: 'succeeded', bytes: 45_000_000 },
      ],
    ),
  );
  now = 1250;
  display.finish('done');
  assert.deepEqual(calls, [
    '~ 1% host chosen · host node1',
    '✓ host chosen · host node1 · 250 ms',
    '  ✗ mirror 1 http://dead/a.qcow2 · connection refused, then next source',
    '~ 27% transferring · host node1 · 12.3/45.0 MB · 40 MB/s · ETA 1 s · mirror 2/2 http://good/a.qcow2',
    // of the whole, though the last poll before the end had seen less
    '✓ transferring · host node1 · 45.0 MB · 1.2 s',
    '✓ verifying · 30 ms',
    '✓ inspecting · 7 ms',
    '~ 80% starting · host node1',
    '✓ starting · host node1 · 1 ms',
    'clear',
  ]);
});

test('elsewhere a phase is one line when it begins, and repeated answers add none', () => {
  const { calls, live } = recordingLive();
  const display = makeJobDisplay({ live, isTty: false, clock: () => 0 });
  display.update(transferring);
  display.update(transferring);
  display.update(pending({ phase: 'transferring', percent: 40, hostname: 'node1' }, [dead]));
  display.update(pending({ phase: 'transferring', percent: 40, hostname: 'node2' }));
  display.finish('failed');
  assert.deepEqual(
    calls.filter((line) => !line.startsWith('~')),
    [
      '  ✗ mirror 1 http://dead/a.qcow2 · 0 B · 120 ms · connection refused (CONNECT_REFUSED), then next source',
      '27% transferring · host node1 · 12.3/45.0 MB · 40 MB/s · ETA 1 s · mirror 2/2 http://good/a.qcow2',
      '40% transferring · host node2',
      'clear',
    ],
  );
});

test('trouble with the server is told once until an answer comes again', () => {
  const { calls, live } = recordingLive();
  const display = makeJobDisplay({ live, isTty: false, clock: () => 0 });
  display.trouble('No answer.');
  display.trouble('No answer.');
  display.update(decodeJob({ jobid: 'j', jobstatus: 0 }));
  display.trouble('No answer.');
  assert.deepEqual(calls, [
    '! No answer. The job goes on; still asking.',
    '✓ The server answers again.',
    '! No answer. The job goes on; still asking.',
  ]);
});

test('the list of attempts names every host and source, the reason and what came next', () => {
  const { attempts } = decodeJob({
    jobid: 'j',
    jobstatus: 2,
    jobattempts: [
      {
        host: 'node1',
        pool: 'local\u001b[31m',
        state: 'failed',
        reason: 'SOURCES_EXHAUSTED',
        message: 'every source failed',
        next: 'next-host',
        sources: [
          {
            ...dead,
            message:
              'connection refused by 10.0.0.1:80 while connecting for the first time. Next: see whether the mirror is up.',
          },
          {
            ...good,
            state: 'failed',
            location: 'DE',
            checksumattempt: 2,
            trynumber: 3,
            bytespersecond: 5e6,
            durationms: 2500,
            reason: 'CHECKSUM_MISMATCH',
            next: 'next-checksum-attempt',
          },
        ],
      },
      { host: 'node2', state: 'succeeded', sources: [] },
    ],
  });
  assert.equal(
    formatAttempts(attempts, true),
    [
      'Attempts:',
      '  1. ✗ host node1, pool local�[31m: every source failed (SOURCES_EXHAUSTED), then next host',
      '     ✗ mirror 1 http://dead/a.qcow2 · 0 B · 120 ms',
      '       connection refused by 10.0.0.1:80 while connecting for the first time (CONNECT_REFUSED), then next source',
      '       Next: see whether the mirror is up.',
      '     ✗ mirror 2 http://good/a.qcow2 (DE) · checksum attempt 2 · try 3 · 12.3/45.0 MB · 5.0 MB/s · 2.5 s',
      '       CHECKSUM_MISMATCH, then next checksum attempt',
      '  2. ✓ host node2: succeeded',
      '',
    ].join('\n'),
  );
  assert.equal(formatAttempts([], true), '');
});

test('after the last attempt of a job that is over nothing came next', () => {
  const { attempts } = decodeJob({
    jobid: 'j',
    jobstatus: 2,
    jobattempts: [{ host: 'node1', state: 'failed', message: 'no', next: 'next-host', sources: [dead] }],
  });
  assert.doesNotMatch(formatAttempts(attempts, true), /then/);
  assert.match(formatAttempts(attempts, false), /no, then next host\n/);
});

test('a long phase tells now and then where no line can be rewritten', () => {
  const { calls, live } = recordingLive();
  let now = 0;
  const display = makeJobDisplay({ live, isTty: false, clock: () => now });
  for (now = 0; now <= 70_000; now += 1000) {
    display.update(pending({ phase: 'transferring', hostname: 'node1', bytes: 1e6 + now }));
  }
  assert.deepEqual(
    calls.filter((line) => !line.startsWith('~')),
    [
      'transferring · host node1 · 1.0 MB',
      'transferring · host node1 · 1.0 MB',
      'transferring · host node1 · 1.1 MB',
    ],
  );
});
