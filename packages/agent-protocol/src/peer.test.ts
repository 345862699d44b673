import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MillraceError, silentLogger } from '@millrace/core';
import { z } from 'zod';
import { ConnectionLost, type Handlers, makePeer, type Peer, RemoteError } from './peer.ts';

const methods = {
  double: {
    params: z.object({ n: z.number() }),
    result: z.object({ n: z.number() }),
    progress: z.object({ at: z.number() }),
  },
} as const;
const none = {} as const;
type Methods = typeof methods;

function connect(handlers: Handlers<Methods>): {
  caller: Peer<Methods>;
  callee: Peer<typeof none>;
  sent: string[];
} {
  const sent: string[] = [];
  const callee: Peer<typeof none> = makePeer({
    localMethods: methods,
    remoteMethods: none,
    handlers,
    send: (text) => queueMicrotask(() => caller.receive(text)),
    log: silentLogger,
  });
  const caller: Peer<Methods> = makePeer({
    localMethods: none,
    remoteMethods: methods,
    handlers: {},
    send: (text) => {
      sent.push(text);
      queueMicrotask(() => callee.receive(text));
    },
    log: silentLogger,
  });
  return { caller, callee, sent };
}

const { signal } = new AbortController();

test('a call receives progress and then its result', async () => {
  const { caller } = connect({
    double: async ({ n }, { progress }) => {
      progress({ at: 1 });
      return { n: n * 2 };
    },
  });
  const seen: number[] = [];
  const result = await caller.call(
    'double',
    { n: 21 },
    { id: 'a', signal, onProgress: ({ at }) => seen.push(at) },
  );
  assert.deepEqual(result, { n: 42 });
  assert.deepEqual(seen, [1]);
});

test('parameters that do not fit the method are refused by the other side', async () => {
  const { caller } = connect({ double: async () => ({ n: 0 }) });
  await assert.rejects(caller.call('double', { n: 'x' as never }, { id: 'a', signal }), RemoteError);
});

test('a failure arrives with its class and code', async () => {
  class Refused extends MillraceError {
    readonly failureClass = 'stop';
  }
  const { caller } = connect({
    double: async () => {
      throw new Refused('IMAGE_REFUSED', 'it has a backing file');
    },
  });
  await assert.rejects(caller.call('double', { n: 1 }, { id: 'a', signal }), (error: RemoteError) => {
    assert.equal(error.code, 'IMAGE_REFUSED');
    assert.equal(error.data?.failureClass, 'stop');
    assert.equal(error.message, 'it has a backing file');
    return true;
  });
});

test('aborting a call cancels the operation on the other side', async () => {
  const cancelled = Promise.withResolvers<unknown>();
  const started = Promise.withResolvers<void>();
  const { caller } = connect({
    double: (_params, context) => {
      context.signal.addEventListener('abort', () => cancelled.resolve(context.signal.reason));
      started.resolve();
      return new Promise(() => {});
    },
  });
  const controller = new AbortController();
  const call = caller.call('double', { n: 1 }, { id: 'a', signal: controller.signal });
  await started.promise;
  controller.abort(new Error('changed my mind'));
  await assert.rejects(call, /changed my mind/);
  assert.equal(((await cancelled.promise) as MillraceError).code, 'CANCELLED');
});

test('closing fails pending calls and leaves the handler running', async () => {
  const started = Promise.withResolvers<AbortSignal>();
  const { caller, callee } = connect({
    double: (_params, context) => {
      started.resolve(context.signal);
      return new Promise(() => {});
    },
  });
  const call = caller.call('double', { n: 1 }, { id: 'a', signal });
  const handlerSignal = await started.promise;
  caller.close('cable pulled');
  callee.close('cable pulled');
  await assert.rejects(call, ConnectionLost);
  assert.equal(handlerSignal.aborted, false);
});

test('garbage is dropped and the peer goes on', async () => {
  const { caller, callee } = connect({ double: async ({ n }) => ({ n: n * 2 }) });
  for (const text of [
    '',
    '{',
    'null',
    '[]',
    '{"jsonrpc":"2.0"}',
    '{"jsonrpc":"2.0","id":"x","method":"__proto__"}',
  ])
    callee.receive(text);
  assert.deepEqual(await caller.call('double', { n: 2 }, { id: 'b', signal }), { n: 4 });
});

test('a malformed message is dropped without a word of it in the log: it may hold a secret', () => {
  const lines: string[] = [];
  const keep = (fields: object, text: string) => void lines.push(JSON.stringify(fields) + text);
  const log = { ...silentLogger, warn: keep, error: keep, info: keep, debug: keep };
  const peer = makePeer({
    localMethods: methods,
    remoteMethods: none,
    handlers: {} as never,
    send: () => {},
    log,
  });
  for (const text of [
    '{"url":"http://u:hunter2@',
    'hunter2',
    '{"jsonrpc":"2.0","id":"a","method":7,"params":"hunter2"}',
  ])
    peer.receive(text);
  assert.equal(lines.length, 3);
  assert.doesNotMatch(lines.join(), /hunter/);
});

test('a closed peer begins nothing any more', async () => {
  let calls = 0;
  const { callee } = connect({
    double: async () => {
      calls++;
      return { n: 0 };
    },
  });
  callee.close('stopping');
  callee.receive('{"jsonrpc":"2.0","id":"a","method":"double","params":{"n":1}}');
  await Promise.resolve();
  assert.equal(calls, 0);
});
