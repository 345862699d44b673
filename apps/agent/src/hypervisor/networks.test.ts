import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@millrace/core';
import { makeLanes } from '../lanes.ts';
import { makeNetworks } from './networks.ts';
import { type Virsh, VirshFailure } from './virsh.ts';

const { signal } = new AbortController();
const network = 'mlr-office';
const leaving = '3c8d5b0e-0f86-4d1b-8f6b-8d9a1c2e3f40';
const other = '9b1d5b0e-0f86-4d1b-8f6b-8d9a1c2e3f41';
const description = `<network>\n  <name>${network}</name>\n  <forward mode='bridge'/>\n  <bridge name='mlv1-100'/>\n</network>\n`;
const withCard = (name: string) =>
  `<domain><interface type='network'><mac address='06:00:00:00:00:01'/><source network='${name}'/></interface></domain>`;

/** A host with the network, whose VMs are given with the network that each has a card in. */
function makeHost(domains: Readonly<Record<string, string>>, idle: () => boolean = () => true) {
  const done: string[] = [];
  const virsh: Virsh = async ([command = '', ...argv]) => {
    if (command.startsWith('net-list')) return `${network}\n\n${description}${description}`;
    if (command === 'list') return `${Object.keys(domains).join('\n')}\n`;
    const uuid = argv.at(-1)!;
    if (command !== 'dumpxml') done.push([command, ...argv].join(' '));
    else if (domains[uuid] === '') throw new VirshFailure('no-domain', 'it went meanwhile', undefined);
    return command === 'dumpxml' ? withCard(domains[uuid]!) : '';
  };
  const bridges = {
    ensure: async () => {},
    remove: async () => {},
    list: async () => [],
    isIdle: async () => idle(),
    removeIdle: async (bridge: string) => void done.push(`removed ${bridge}`),
  };
  return { done, networks: makeNetworks({ virsh, bridges, lanes: makeLanes(), log: silentLogger }) };
}

const taken = [`net-destroy ${network}`, `net-undefine ${network}`, 'removed mlv1-100'];

test('the last VM with a card in a network takes its bridge along', async () => {
  const { done, networks } = makeHost({ [leaving]: network, [other]: 'mlr-another', gone: '' });
  await networks.release(network, leaving, signal);
  assert.deepEqual(done, taken);
});

test('a VM that is switched off keeps the bridge: it is started without being prepared anew', async () => {
  const { done, networks } = makeHost({ [leaving]: network, [other]: network });
  await networks.release(network, leaving, signal);
  assert.deepEqual(done, []);
});

test('a bridge that something is plugged into stays, also when that happens while VMs are looked at', async () => {
  const busy = makeHost({ [leaving]: network }, () => false);
  await busy.networks.release(network, leaving, signal);
  assert.deepEqual(busy.done, []);
  let looks = 0;
  const late = makeHost({ [leaving]: network }, () => ++looks === 1);
  await late.networks.release(network, leaving, signal);
  assert.deepEqual(late.done, []);
});

test('a network is kept for every VM that is about to come, until all of them are there', async () => {
  const { done, networks } = makeHost({ [leaving]: network });
  const [first, second] = [networks.keep([network]), networks.keep([network, 'mlr-another'])];
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  await networks.release(network, leaving, signal);
  assert.deepEqual(done, []);
  second[Symbol.dispose]();
  await networks.release(network, leaving, signal);
  assert.deepEqual(done, taken);
});

test('what keeps a network from being taken away does not fail the one that leaves', async () => {
  const virsh: Virsh = async () => {
    throw new VirshFailure('unavailable', 'libvirtd is being restarted', undefined);
  };
  const networks = makeNetworks({ virsh, lanes: makeLanes(), log: silentLogger });
  await networks.release(network, leaving, signal);
});
