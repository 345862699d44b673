import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BridgedNetwork } from '@millrace/agent-protocol';
import { describeError, type Logger, runProgram } from '@millrace/core';
import { fail } from '../failure.ts';

export interface BridgeDeps {
  readonly log: Logger;
  /** What the kernel tells of network devices, a directory each. Default: the kernel's own. */
  readonly devices?: string;
  /** Runs `ip`. Default: the program. */
  readonly ip?: (args: readonly string[], signal: AbortSignal) => Promise<unknown>;
}

/** Linux bridges between guests and the networks around the host. */
export interface Bridges {
  /**
   * Makes sure that the network's bridge is there and up; for a VLAN it is made, with a VLAN device of the uplink in it.
   * @throws AgentFailure `NETWORK_UNAVAILABLE` when the host lacks the uplink
   */
  ensure(network: BridgedNetwork, signal: AbortSignal): Promise<void>;
  /**
   * Removes the bridge and the VLAN device that `ensure` made, unless something else is plugged into it: then another
   * network has it by now. The uplink is the operator's.
   */
  remove(network: Pick<BridgedNetwork, 'bridge' | 'vlan'>, signal: AbortSignal): Promise<void>;
  /** Names of bridges that `ensure` made. */
  list(): Promise<readonly string[]>;
  /** Whether `ensure` made this bridge and nothing is plugged into it: its VLAN device is the only port. */
  isIdle(bridge: string): Promise<boolean>;
  /** Removes an idle bridge that `ensure` made, with its VLAN device. */
  removeIdle(bridge: string, signal: AbortSignal): Promise<void>;
}

/** A name of a network device has 15 characters at most. */
const longestBridge = 13;

export function makeBridges({
  log,
  devices = '/sys/class/net',
  ip: run = (args, signal) => runProgram('ip', [...args], { signal }),
}: BridgeDeps): Bridges {
  const isThere = (name: string) => exists(join(devices, name));
  const isBridge = (name: string) => exists(join(devices, name, 'bridge'));
  const ip = async (args: readonly string[], signal: AbortSignal) => {
    try {
      await run(args, signal);
    } catch (error) {
      signal.throwIfAborted();
      fail('NETWORK_UNAVAILABLE', `ip ${args.join(' ')}: ${describeError(error)}`, error);
    }
  };
  const make = async (name: string, args: readonly string[], signal: AbortSignal) => {
    if (!(await isThere(name))) {
      try {
        await ip(['link', 'add', ...args], signal);
      } catch (error) {
        // another server asked for the same a moment before
        if (!(await isThere(name))) throw error;
      }
      log.info({ device: name }, 'network device made');
    }
    await ip(['link', 'set', name, 'up'], signal);
  };
  /**
   * The device that tagged frames go out by: of a bridge its only port that is no guest's, for tagged frames that pass
   * through a bridge reach its own VLAN devices only when it listens to everything.
   */
  const parentOf = async (uplink: string) => {
    if (!(await isBridge(uplink))) return uplink;
    const outside: string[] = [];
    // guests' cards are tap devices, which tell their flags
    for (const port of await readdir(join(devices, uplink, 'brif')))
      if (!(await exists(join(devices, port, 'tun_flags')))) outside.push(port);
    const [only] = outside;
    return only !== undefined && outside.length === 1 ? only : uplink;
  };
  /** What is plugged into a bridge besides its VLAN device. */
  const othersIn = async (bridge: string) =>
    (await isBridge(bridge))
      ? (await readdir(join(devices, bridge, 'brif'))).filter((port) => port !== vlanDevice(bridge))
      : [];
  const removeMade = async (bridge: string, signal: AbortSignal) => {
    for (const name of [bridge, vlanDevice(bridge)])
      if (await isThere(name)) await ip(['link', 'delete', name], signal);
  };
  return {
    async ensure({ bridge, uplink, vlan }, signal) {
      if (!(await isThere(uplink)))
        fail(
          'NETWORK_UNAVAILABLE',
          `this host has no network device ${uplink}, which the physical network is labelled with: make a bridge of that name, or change the label (kvmnetworklabel)`,
        );
      if (vlan === undefined) {
        if (!(await isBridge(uplink)))
          fail(
            'NETWORK_UNAVAILABLE',
            `${uplink} is no bridge on this host: guests without a VLAN need one of that name`,
          );
        return;
      }
      if (bridge.length > longestBridge)
        fail('NETWORK_UNAVAILABLE', `${bridge} is longer than ${longestBridge} characters`);
      const device = vlanDevice(bridge);
      const parent = await parentOf(uplink);
      await make(device, ['link', parent, 'name', device, 'type', 'vlan', 'id', String(vlan)], signal);
      await make(bridge, ['name', bridge, 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0'], signal);
      await ip(['link', 'set', device, 'master', bridge], signal);
    },

    async remove({ bridge, vlan }, signal) {
      if (vlan === undefined || (await othersIn(bridge)).length > 0) return;
      await removeMade(bridge, signal);
    },

    async list() {
      const names = await readdir(devices);
      return names.filter((name) => names.includes(vlanDevice(name)));
    },

    async isIdle(bridge) {
      if (!(await isThere(vlanDevice(bridge))) || !(await isBridge(bridge))) return false;
      return (await othersIn(bridge)).length === 0;
    },

    removeIdle: removeMade,
  };
}

function vlanDevice(bridge: string): string {
  return `${bridge}.v`;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
