import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { FetchPolicy } from '@millrace/agent-protocol';
import { loadImageEngine } from './image-engine.ts';
import { makeHostTransfers, type TransferGrant } from './transfers.ts';

/** With the engine's own limiter. A rate of one byte a second holds back whatever follows a first mebibyte. */

const { signal } = new AbortController();
const policy: FetchPolicy = {
  connectTimeoutMs: 1000,
  stallTimeoutMs: 1000,
  checksumAttempts: 3,
  maxRedirects: 5,
  maxVirtualSizeBytes: 1,
  maxTransferBytes: 1,
  sourceOrder: 'priority',
  egressAllowedCidrs: [],
};

/** Takes two mebibytes, one after the other. */
function reading({ options }: TransferGrant) {
  const reader = { through: false, done: Promise.resolve() };
  const read = async () => {
    for (let chunk = 0; chunk < 2; chunk++) await options.rateLimit?.take(1024 ** 2, signal);
    reader.through = true;
  };
  reader.done = read();
  return reader;
}

async function isHeld(reader: { readonly through: boolean }): Promise<boolean> {
  for (let turns = 0; turns < 10; turns++) await turn();
  return !reader.through;
}

for (const [what, limit] of [
  ['of each transfer', { bytesPerSecond: 1 }],
  ['of the host', { hostBytesPerSecond: 1 }],
] as const) {
  test(`a limit ${what} that is set while a transfer runs holds it back, and lets it go when it is lifted`, async () => {
    const host = makeHostTransfers(loadImageEngine);
    const transfers = await host.use();
    using grant = transfers.begin(policy, 'deployment');
    await reading(grant).done;
    host.setLimits(limit);
    const held = reading(grant);
    assert.equal(await isHeld(held), true);
    host.setLimits(limit);
    assert.equal(await isHeld(held), true, 'the same again changes nothing');
    host.setLimits({});
    await held.done;
  });
}

test('a transfer begins with the limits that its message brings, and they hold for those before it', async () => {
  const host = makeHostTransfers(loadImageEngine);
  host.setLimits({ bytesPerSecond: 5 });
  const transfers = await host.use();
  using early = transfers.begin(policy, 'prefetch');
  await reading(early).done;
  using late = transfers.begin({ ...policy, rateLimitBytesPerSecond: 1 }, 'deployment');
  const held = [reading(early), reading(late)];
  for (const reader of held) assert.equal(await isHeld(reader), true);
  host.setLimits({});
  for (const reader of held) await reader.done;
});
