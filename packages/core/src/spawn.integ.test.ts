import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { spawnProgram } from './spawn.ts';

test('a program that started others ends with all of them, so that nobody holds its streams open', async () => {
  const abort = new AbortController();
  const child = spawnProgram('sh', ['-c', 'sleep 60 & echo started; wait'], {
    signal: abort.signal,
    stdio: ['ignore', 'pipe', 'ignore'],
    wholeGroup: true,
  });
  child.once('error', () => {});
  await once(child.stdout!, 'data');
  abort.abort();
  // as long as the other one lives, this never comes
  await once(child, 'close', { signal: AbortSignal.timeout(10_000) });
  assert.equal(child.signalCode, 'SIGKILL');
});
