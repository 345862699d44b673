import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionLost, type Handlers, makePeer, RemoteError } from '@millrace/agent-protocol';
import { MillraceError, silentLogger } from '@millrace/core';
import { z } from 'zod';
import { AgentFailure } from './failure.ts';
import { makeOperations, throughOperations } from './operations.ts';

const table = {
  work: { params: z.object({}), result: z.object({ n: z.number() }), progress: z.number() },
  peek: { params: z.object({}), result: z.object({ n: z.number() }), progress: z.never() },
} as const;
type Table = typeof table;

const never = new AbortController().signal;

/** An agent whose connections come and go, as the server sees it. */
function makeHarness(handlers: Handlers<Table>, options: { now?: () => number; keepCount?: number } = {}) {
  const operations = makeOperations({
    now: options.now ?? (() => 0),
    log: silentLogger,
    reads: new Set(['peek']),
    ...(options.keepCount === undefined ? {} : { keepCount: options.keepCount }),
  });
  const connect = () => {
    let up = true;
    const agent = makePeer({
      localMethods: table,
      remoteMethods: {},
      handlers: throughOperations<Table>(handlers, operations),
      send: (text) => queueMicrotask(() => up && server.receive(text)),
      log: silentLogger,
    });
    const server = makePeer({
      localMethods: {},
      remoteMethods: table,
      handlers: {},
      send: (text) => queueMicrotask(() => up && agent.receive(text)),
      log: silentLogger,
    });
    const drop = () => {
      up = false;
      agent.close('dropped');
      server.close('dropped');
    };
    return { server, drop };
  };
  return { connect, operations };
}

test('a request joins the operation that a lost connection left running: last progress first, then the result', async () => {
  const gate = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  let runs = 0;
  const { connect } = makeHarness({
    work: async (_, { progress }) => {
      runs++;
      progress(1);
      progress(2);
      begun.resolve();
      await gate.promise;
      progress(3);
      return { n: 42 };
    },
    peek: async () => ({ n: 0 }),
  });
  const first = connect();
  const lost = first.server.call('work', {}, { id: 'op', signal: never });
  await begun.promise;
  first.drop();
  await assert.rejects(lost, ConnectionLost);

  const seen: number[] = [];
  const second = connect();
  const joined = second.server.call(
    'work',
    {},
    { id: 'op', signal: never, onProgress: (value) => seen.push(value) },
  );
  await new Promise(setImmediate);
  assert.deepEqual(seen, [2]);
  gate.resolve();
  assert.deepEqual(await joined, { n: 42 });
  assert.deepEqual(seen, [2, 3]);
  assert.equal(runs, 1);
});

test('a result and a failure are given again to who asks again, and the work is not', async () => {
  let runs = 0;
  const { connect } = makeHarness({
    work: async () => {
      runs++;
      if (runs === 1) return { n: 7 };
      throw new AgentFailure('POOL_FULL', 'no space');
    },
    peek: async () => ({ n: 0 }),
  });
  const { server } = connect();
  assert.deepEqual(await server.call('work', {}, { id: 'good', signal: never }), { n: 7 });
  const isFull = (error: unknown) => error instanceof RemoteError && error.code === 'POOL_FULL';
  await assert.rejects(server.call('work', {}, { id: 'bad', signal: never }), isFull);

  const again = connect().server;
  assert.deepEqual(await again.call('work', {}, { id: 'good', signal: never }), { n: 7 });
  await assert.rejects(again.call('work', {}, { id: 'bad', signal: never }), isFull);
  assert.equal(runs, 2);
});

test('a cancellation aborts the operation, and the failure says so and stops the retry policy', async () => {
  const aborted = Promise.withResolvers<unknown>();
  const begun = Promise.withResolvers<void>();
  const { connect } = makeHarness({
    work: (_, { signal }) => {
      begun.resolve();
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          aborted.resolve(signal.reason);
          // what a stream pipeline rejects with: the registry must see through it
          reject(Object.assign(new Error('The operation was aborted'), { code: 'ABORT_ERR' }));
        });
      });
    },
    peek: async () => ({ n: 0 }),
  });
  const { server } = connect();
  const controller = new AbortController();
  const call = server.call('work', {}, { id: 'op', signal: controller.signal });
  await begun.promise;
  controller.abort(new Error('user gave up'));
  await assert.rejects(call, /user gave up/);
  assert.ok((await aborted.promise) instanceof MillraceError);
  await assert.rejects(
    server.call('work', {}, { id: 'op', signal: never }),
    (error: RemoteError) => error.code === 'CANCELLED' && error.data?.failureClass === 'stop',
  );
});

test('results are forgotten after a quarter of an hour, and the oldest when there are too many', async () => {
  let clock = 0;
  let runs = 0;
  const { connect } = makeHarness(
    { work: async () => ({ n: ++runs }), peek: async () => ({ n: 0 }) },
    { now: () => clock, keepCount: 2 },
  );
  const { server } = connect();
  const ask = async (id: string) => (await server.call('work', {}, { id, signal: never })).n;
  assert.equal(await ask('a'), 1);
  clock = 14 * 60_000;
  assert.equal(await ask('a'), 1);
  clock = 16 * 60_000;
  assert.equal(await ask('a'), 2);
  clock++;
  assert.equal(await ask('b'), 3);
  clock++;
  assert.equal(await ask('c'), 4);
  assert.equal(await ask('b'), 3);
  assert.equal(await ask('a'), 5);
});

test('reads are done again when asked again', async () => {
  let runs = 0;
  const { connect } = makeHarness({ work: async () => ({ n: 0 }), peek: async () => ({ n: ++runs }) });
  const { server } = connect();
  await server.call('peek', {}, { id: 'x', signal: never });
  assert.deepEqual(await server.call('peek', {}, { id: 'x', signal: never }), { n: 2 });
});

test('one id cannot name two methods', async () => {
  const { connect } = makeHarness({ work: async () => ({ n: 1 }), peek: async () => ({ n: 0 }) });
  const { server } = connect();
  await server.call('work', {}, { id: 'x', signal: never });
  await assert.rejects(
    server.call('peek', {}, { id: 'x', signal: never }),
    (error: RemoteError) => error.code === 'OPERATION_ID_REUSED',
  );
});

test('stopping aborts what runs, waits for its end and refuses what comes later', async () => {
  const ended: string[] = [];
  const begun = Promise.withResolvers<void>();
  const { connect, operations } = makeHarness({
    work: async (_, { signal }) => {
      begun.resolve();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await new Promise(setImmediate);
      ended.push('cleaned up');
      throw signal.reason;
    },
    peek: async () => ({ n: 0 }),
  });
  const { server, drop } = connect();
  const call = server.call('work', {}, { id: 'op', signal: never });
  await begun.promise;
  drop();
  await assert.rejects(call, ConnectionLost);
  await operations.stop();
  assert.deepEqual(ended, ['cleaned up']);
  await assert.rejects(
    connect().server.call('work', {}, { id: 'later', signal: never }),
    (error: RemoteError) => error.code === 'AGENT_STOPPING',
  );
});
