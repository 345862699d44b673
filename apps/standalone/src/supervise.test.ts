import assert from 'node:assert/strict';
import test from 'node:test';
import type { MillraceError } from '@millrace/core';
import { type Child, restartPauseMs, type SupervisedPart, supervise } from './supervise.ts';

interface FakeChild extends Child {
  readonly signals: string[];
  end(why: string): void;
}

function fakePart(react: (signal: string, child: FakeChild) => void = () => {}) {
  const children: FakeChild[] = [];
  const started: (() => void)[] = [];
  const part: SupervisedPart = {
    name: 'the server',
    logPath: '/var/log/server.log',
    logTail: async () => 'last words',
    async start() {
      const { promise, resolve } = Promise.withResolvers<string>();
      const signals: string[] = [];
      const child: FakeChild = {
        pid: children.length + 1,
        ended: promise,
        signals,
        end: resolve,
        release: () => {},
        kill(signal) {
          signals.push(signal);
          react(signal, child);
        },
      };
      children.push(child);
      // once the supervisor has taken the child
      for (const wake of started.splice(0)) setImmediate(wake);
      return child;
    },
  };
  const nextStart = () => new Promise<void>((resolve) => started.push(resolve));
  return { part, children, nextStart };
}

const immediately = () => 0;

test('a part that ends unexpectedly is started again, with a line that says why', async () => {
  const { part, children, nextStart } = fakePart();
  const lines: string[] = [];
  const supervisor = await supervise(part, {
    line: (text) => lines.push(text),
    now: () => 0,
    pauseMs: immediately,
  });
  const again = nextStart();
  children[0]!.end('signal SIGKILL');
  await again;
  assert.equal(supervisor.pid(), 2);
  assert.match(
    lines[0]!,
    /the server ended unexpectedly \(signal SIGKILL\).*starting it again.*\/var\/log\/server\.log/,
  );
});

test('five ends within a minute are given up with the end of the log', async () => {
  const { part, children, nextStart } = fakePart();
  const supervisor = await supervise(part, { line: () => {}, now: () => 0, pauseMs: immediately });
  for (let crash = 0; crash < 4; crash++) {
    const again = nextStart();
    children.at(-1)!.end('exit code 1');
    await again;
  }
  children.at(-1)!.end('exit code 7');
  await assert.rejects(supervisor.failed, (error: MillraceError) => {
    assert.equal(error.code, 'PART_KEEPS_FAILING');
    assert.match(error.message, /exit code 7[\s\S]*last words/);
    return true;
  });
  assert.equal(children.length, 5);
});

test('ends that lie further apart than a minute are not counted together', async () => {
  let time = 0;
  const { part, children, nextStart } = fakePart();
  await supervise(part, { line: () => {}, now: () => time, pauseMs: immediately });
  for (let crash = 0; crash < 12; crash++) {
    const again = nextStart();
    children.at(-1)!.end('exit code 1');
    await again;
    time += 20_000;
  }
  assert.equal(children.length, 13);
});

test('a part that was asked to stop is not started again', async () => {
  const { part, children } = fakePart((signal, child) => child.end(`signal ${signal}`));
  const lines: string[] = [];
  const supervisor = await supervise(part, {
    line: (text) => lines.push(text),
    now: () => 0,
    pauseMs: immediately,
  });
  await supervisor.stop({ signalName: 'SIGTERM', timeoutMs: 10_000 });
  assert.deepEqual(children[0]!.signals, ['SIGTERM']);
  assert.equal(children.length, 1);
  assert.deepEqual(lines, []);
});

test('a part that does not react is killed after its time', async () => {
  const { part, children } = fakePart((signal, child) => {
    if (signal === 'SIGKILL') child.end('signal SIGKILL');
  });
  const lines: string[] = [];
  const supervisor = await supervise(part, {
    line: (text) => lines.push(text),
    now: () => 0,
    pauseMs: immediately,
  });
  await supervisor.stop({ signalName: 'SIGTERM', timeoutMs: 20 });
  assert.deepEqual(children[0]!.signals, ['SIGTERM', 'SIGKILL']);
  assert.match(lines[0]!, /was killed/);
});

test('a part that is stopped while it waits to be started again stays stopped', async () => {
  const { part, children } = fakePart();
  const supervisor = await supervise(part, { line: () => {}, now: () => 0, pauseMs: () => 60_000 });
  children[0]!.end('exit code 1');
  await new Promise((resolve) => setImmediate(resolve));
  await supervisor.stop({ signalName: 'SIGTERM', timeoutMs: 1000 });
  assert.equal(children.length, 1);
});

test('a restart that fails counts as a crash with its reason', async () => {
  const { part, children } = fakePart();
  let starts = 0;
  const failing: SupervisedPart = {
    ...part,
    start: async () => {
      starts += 1;
      if (starts > 1) throw new Error('no token');
      return part.start();
    },
  };
  const supervisor = await supervise(failing, { line: () => {}, now: () => 0, pauseMs: immediately });
  children[0]!.end('exit code 1');
  await assert.rejects(supervisor.failed, /could not be started: no token/);
  assert.equal(starts, 5);
});

test('pauses double up to five seconds', () => {
  assert.deepEqual([1, 2, 3, 6, 20].map(restartPauseMs), [200, 400, 800, 5000, 5000]);
});
