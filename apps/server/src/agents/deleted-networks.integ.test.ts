import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { BridgedNetwork } from '@millrace/agent-protocol';
import { silentLogger } from '@millrace/core';
import { withTestDatabase } from '../../../../test/postgres.ts';
import { insertCloud } from '../store/testing/cloud-rows.ts';
import { removeDeletedNetworks } from './deleted-networks.ts';
import type { AgentGateway } from './gateway.ts';

test('of what a host has, what was deleted goes, and never a bridge that a network has now', async (t) => {
  const { database } = await withTestDatabase(t);
  const { zoneId } = await insertCloud(database);
  const insert = async (name: string, vlan: number | null, removed: Date | null) => {
    const uuid = randomUUID();
    await database
      .insertInto('networks')
      .values({
        uuid,
        name,
        display_text: name,
        data_center_id: zoneId,
        guest_type: 'L2',
        kind: 'bridge',
        uplink: 'cloudbr0',
        vlan,
        libvirt_name: `mlr-${uuid}`,
        bridge: vlan === null ? 'cloudbr0' : `mlv1-${vlan}`,
        removed,
      })
      .execute();
    return `mlr-${uuid}`;
  };
  const long = new Date(0);
  const untagged = await insert('untagged', null, long);
  const gone = await insert('gone', 7, long);
  const replaced = await insert('replaced', 8, long);
  const there = await insert('there', 8, null);
  for (const name of ['older', 'old']) await insert(name, 9, long);
  const asked: Pick<BridgedNetwork, 'name' | 'vlan'>[] = [];
  const gateway = {
    call: async (_hostId: number, _method: string, { network }: { network: BridgedNetwork }) => {
      asked.push({ name: network.name, ...(network.vlan === undefined ? {} : { vlan: network.vlan }) });
      return {};
    },
  } as unknown as AgentGateway;
  const { signal } = new AbortController();
  const has = [untagged, gone, replaced, there, 'mlr-of-somebody-else', 'mlv1-7', 'mlv1-8', 'mlv1-9', 'br0'];
  await removeDeletedNetworks({ database, gateway, log: silentLogger, signal }, 1, has);
  const byName = new Map(asked.map(({ name, vlan }) => [name, vlan]));
  assert.equal(asked.length, 4, JSON.stringify(asked));
  assert.deepEqual(
    [untagged, gone, replaced].map((name) => byName.get(name)),
    [undefined, 7, undefined],
  );
  assert.ok(!byName.has(there));
  assert.deepEqual(asked.filter(({ vlan }) => vlan === 9).length, 1);
});
