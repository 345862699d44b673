import type { BridgedNetwork, NetworkDefinition } from '@millrace/agent-protocol';
import { describeError, type Logger } from '@millrace/core';
import { fail } from '../failure.ts';
import type { Lanes } from '../lanes.ts';
import { type Bridges, makeBridges } from './bridges.ts';
import { withDefinitionFile } from './definition-file.ts';
import {
  addressingOf,
  networkXml,
  type Reservation,
  type ReservationChange,
  reservationChange,
  reservationsOf,
  reservationXml,
} from './network-xml.ts';
import { unless, type Virsh } from './virsh.ts';
import { elementsOf } from './xml.ts';

/** The libvirt networks of this host. Changes of one network happen one at a time. */
export interface Networks {
  /**
   * Makes sure that the network is defined, started, and starts with libvirt, and that the card has its address in the
   * network's DHCP (stale entries of the card or the address are replaced).
   * @throws AgentFailure `NETWORK_UNAVAILABLE`, also when another network has the name.
   */
  prepare(
    network: NetworkDefinition,
    card: Required<Reservation> | undefined,
    signal: AbortSignal,
  ): Promise<void>;
  /** Forgets a network that nothing hangs on any more. */
  remove(network: BridgedNetwork, signal: AbortSignal): Promise<void>;
  /** Removes what the network's DHCP has reserved for a card. */
  unreserve(networkName: string, mac: string, signal: AbortSignal): Promise<void>;
  /**
   * Takes away the VLAN bridge of a network that no VM of this host has a card in any more, whether it runs or not; the
   * one that leaves does not count. What fails is logged: the next VM that leaves, or the network's end, tries again.
   */
  release(networkName: string, leavingVm: string, signal: AbortSignal): Promise<void>;
  /** Nothing of these networks is taken away meanwhile: a VM is about to come that libvirt does not know yet. */
  keep(networkNames: readonly string[]): Disposable;
}

export function makeNetworks(deps: {
  readonly virsh: Virsh;
  readonly lanes: Lanes;
  readonly log: Logger;
  /** Default: those of this host. */
  readonly bridges?: Bridges;
}): Networks {
  const { virsh, lanes, log } = deps;
  const bridges = deps.bridges ?? makeBridges(deps);
  /** Who waits for a VM to come, by the name of the network. */
  const keepers = new Map<string, number>();
  const laneOf = (name: string) => `network ${name}`;

  const update = async (name: string, changes: readonly ScopedChange[], signal: AbortSignal) => {
    for (const { scopes, remove, add } of changes) {
      const run = (change: 'delete' | 'add-last', entry: Reservation) =>
        virsh(['net-update', name, change, 'ip-dhcp-host', reservationXml(entry), ...scopes], { signal });
      for (const stale of remove) await run('delete', stale);
      if (add) await run('add-last', add);
    }
  };

  const ensure = async (network: NetworkDefinition, signal: AbortSignal): Promise<FoundNetwork> => {
    const { name } = network;
    const found = await unless('no-network', find(virsh, name, signal));
    const differs = found !== undefined && addressingOf(found.current) !== addressingOf(network);
    if (found?.active && !differs) return found;
    if (found?.active) {
      fail(
        'NETWORK_UNAVAILABLE',
        `this host already runs a libvirt network ${name} that is another one (${addressingOf(found.current)} instead of ` +
          `${addressingOf(network)}): stop its guests, remove it with 'virsh net-destroy ${name}' and ` +
          `'virsh net-undefine ${name}', and try again`,
      );
    }
    if (differs) await virsh(['net-undefine', name], { signal });
    if (found === undefined || differs)
      await withDefinitionFile(networkXml(network), (path) => virsh(['net-define', path], { signal }));
    // here and not only beside the definition: a crash may have come between
    await virsh(['net-autostart', name], { signal });
    try {
      await unless('network-active', virsh(['net-start', name], { signal }));
    } catch (error) {
      signal.throwIfAborted();
      fail(
        'NETWORK_UNAVAILABLE',
        `the network ${name} cannot be started on this host: ${describeError(error)}`,
        error,
      );
    }
    log.info({ network: name, bridge: network.bridge }, 'network started');
    return find(virsh, name, signal);
  };

  const forget = async (name: string, signal: AbortSignal) => {
    const destroyed = unless('network-inactive', virsh(['net-destroy', name], { signal }));
    await unless('no-network', destroyed);
    await unless('no-network', virsh(['net-undefine', name], { signal }));
  };

  const releaseNow = async (name: string, leavingVm: string, signal: AbortSignal) => {
    if (keepers.has(name)) return;
    const found = await unless('no-network', find(virsh, name, signal));
    const bridge = found && elementsOf(found.current, 'bridge')[0]?.['name'];
    if (bridge === undefined || !(await bridges.isIdle(bridge))) return;
    if (await isUsedByAnother(virsh, name, leavingVm, signal)) return;
    // looked at again, since all that took its time
    if (keepers.has(name) || !(await bridges.isIdle(bridge))) return;
    await forget(name, signal);
    await bridges.removeIdle(bridge, signal);
    log.info({ network: name, bridge }, 'network removed: no virtual machine has a card in it');
  };

  return {
    keep: (names) => {
      for (const name of names) keepers.set(name, (keepers.get(name) ?? 0) + 1);
      let over = false;
      return {
        [Symbol.dispose]: () => {
          if (over) return;
          over = true;
          for (const name of names) {
            const left = keepers.get(name)! - 1;
            if (left === 0) keepers.delete(name);
            else keepers.set(name, left);
          }
        },
      };
    },

    release: async (name, leavingVm, signal) => {
      try {
        await lanes.run(laneOf(name), signal, () => releaseNow(name, leavingVm, signal));
      } catch (error) {
        signal.throwIfAborted();
        log.warn({ network: name, error: describeError(error) }, 'a network that nobody uses stays');
      }
    },

    prepare: (network, card, signal) =>
      lanes.run(laneOf(network.name), signal, async () => {
        if (network.kind === 'bridge') await bridges.ensure(network, signal);
        const found = await ensure(network, signal);
        // addresses of other networks come by config drive, or from whoever gives them there
        if (card === undefined || network.kind === 'bridge') return;
        const changes = found.scopes.map(({ scope, present }) => ({
          scope,
          ...reservationChange(present, card),
        }));
        await update(network.name, joinScopes(changes), signal);
      }),

    remove: (network, signal) =>
      lanes.run(laneOf(network.name), signal, async () => {
        await forget(network.name, signal);
        await bridges.remove(network, signal);
      }),

    unreserve: (name, mac, signal) =>
      lanes.run(laneOf(name), signal, async () => {
        const found = await unless('no-network', find(virsh, name, signal));
        const changes = (found?.scopes ?? []).map(({ scope, present }) => ({
          scope,
          remove: present.filter((entry) => entry.mac === mac),
          add: undefined,
        }));
        await update(name, joinScopes(changes), signal);
      }),
  };
}

/** Names of what was made on this host for networks of the cloud: libvirt's networks, and bridges. */
export async function madeNetworks(
  deps: { readonly virsh: Virsh; readonly log: Logger },
  signal: AbortSignal,
): Promise<string[]> {
  const names = (await deps.virsh(['net-list', '--all', '--name'], { signal })).split(/\s+/);
  return [...names.filter((name) => name.startsWith('mlr-')), ...(await makeBridges(deps).list())];
}

type ScopedChange = ReservationChange & { readonly scopes: readonly string[] };

/** The same change of both descriptions is made at once: each takes libvirt half a second, since it rebuilds its firewall. */
export function joinScopes(
  changes: readonly (ReservationChange & { readonly scope: string })[],
): ScopedChange[] {
  const joined: { key: string; change: ScopedChange }[] = [];
  for (const { scope, remove, add } of changes) {
    const key = JSON.stringify([remove, add]);
    const last = joined.at(-1);
    if (last?.key === key) last.change = { ...last.change, scopes: [...last.change.scopes, scope] };
    else joined.push({ key, change: { remove, add, scopes: [scope] } });
  }
  return joined.map(({ change }) => change);
}

interface FoundNetwork {
  readonly active: boolean;
  /** The running description, else the one on disk. */
  readonly current: string;
  /** What libvirt has running and what it has on disk: two descriptions that may differ. */
  readonly scopes: readonly { readonly scope: string; readonly present: readonly Reservation[] }[];
}

/** One program start for all that is asked: virsh takes several commands, separated by `;`, as one argument. */
async function find(virsh: Virsh, name: string, signal: AbortSignal): Promise<FoundNetwork> {
  // virsh takes this argument apart at spaces and semicolons: the name must have neither
  if (!/^[A-Za-z0-9_.-]{1,100}$/.test(name))
    fail('NETWORK_UNAVAILABLE', `${JSON.stringify(name)} is no name of a network of Millrace`);
  const printed = await virsh([`net-list --name; net-dumpxml ${name} --inactive; net-dumpxml ${name}`], {
    signal,
  });
  return parseNetwork(printed, name);
}

/** Reads the names of the active networks, then the network's description on disk, then the current one. */
export function parseNetwork(printed: string, name: string): FoundNetwork {
  const [list = '', saved, current] = printed.split(/^(?=<network[\s>])/m);
  if (saved === undefined || current === undefined)
    fail('NETWORK_UNAVAILABLE', `libvirt does not tell all it knows of the network ${name}`);
  const active = list.split('\n').some((line) => line.trim() === name);
  return {
    active,
    current,
    scopes: [
      ...(active ? [{ scope: '--live', present: reservationsOf(current) }] : []),
      { scope: '--config', present: reservationsOf(saved) },
    ],
  };
}

/** Cards of a domain that hang on libvirt networks, from libvirt's own description of it. */
export function networkCardsOf(domainDescription: string): { mac: string; network: string }[] {
  return [...domainDescription.matchAll(/<interface type='network'>(.*?)<\/interface>/gs)].flatMap(
    (match) => {
      const mac = elementsOf(match[1]!, 'mac')[0]?.['address'];
      const network = elementsOf(match[1]!, 'source')[0]?.['network'];
      return mac !== undefined && network !== undefined ? [{ mac, network }] : [];
    },
  );
}

/** Whether a VM that libvirt knows, other than this one, has a card in a network. */
async function isUsedByAnother(
  virsh: Virsh,
  network: string,
  vmUuid: string,
  signal: AbortSignal,
): Promise<boolean> {
  const uuids = (await virsh(['list', '--all', '--uuid'], { signal })).split(/\s+/).filter(Boolean);
  for (const uuid of uuids) {
    if (uuid === vmUuid) continue;
    const description = await unless('no-domain', virsh(['dumpxml', '--inactive', uuid], { signal }));
    if (networkCardsOf(description ?? '').some((card) => card.network === network)) return true;
  }
  return false;
}
