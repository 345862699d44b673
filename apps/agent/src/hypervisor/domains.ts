import type { VmPowerState, VmStateReport } from '@millrace/agent-protocol';
import { z } from 'zod';
import { fail } from '../failure.ts';
import { unless, type Virsh } from './virsh.ts';

/** virDomainState of libvirt: everything that has a process runs, a paused or suspended guest too. */
const stoppedStates: ReadonlySet<string> = new Set(['shut off', 'crashed']);

/** Numbers of virDomainState as `domstats` prints them. */
const stoppedNumbers: ReadonlySet<number> = new Set([5, 6]);

/** State of one VM by its UUID; `Missing` when libvirt does not know it. */
export async function domainState(virsh: Virsh, uuid: string, signal: AbortSignal): Promise<VmPowerState> {
  const printed = await unless('no-domain', virsh(['domstate', uuid], { signal }));
  if (printed === undefined) return 'Missing';
  return stoppedStates.has(printed.trim()) ? 'Stopped' : 'Running';
}

/** Every domain libvirt knows, with its state. */
export async function listDomains(virsh: Virsh, signal: AbortSignal): Promise<VmStateReport[]> {
  // one program start for both: virsh takes several commands, separated by `;`, as one argument
  return parseDomains(await virsh(['list --all --uuid --name; domstats --state'], { signal }));
}

/**
 * Reads the list of `UUID NAME` lines followed by the statistics, which know only names. Domains whose UUID is not of
 * RFC 9562 cannot be Millrace's and are left out.
 * @throws AgentFailure `LIBVIRT_UNAVAILABLE` when the list is missing, since virsh fails only when its last command does:
 * taken as empty it would say that every VM is gone
 */
export function parseDomains(printed: string): VmStateReport[] {
  const uuids = new Map<string, string>();
  for (const [, uuid, name] of printed.matchAll(/^([0-9a-f]{8}-[0-9a-f-]{27}) +(.+?) *$/gm))
    uuids.set(name!, uuid!);
  const reports: VmStateReport[] = [];
  for (const block of printed.matchAll(/^Domain: '(.*)'\n((?: +.*\n?)*)/gm)) {
    const uuid = uuids.get(block[1]!);
    const state = /state\.state=(\d+)/.exec(block[2]!)?.[1];
    if (uuids.size === 0)
      fail(
        'LIBVIRT_UNAVAILABLE',
        'libvirt told the states of its domains, but not their UUIDs: it is asked again',
      );
    // a domain defined or removed between the two commands is in one list only: its event brings the next look
    if (uuid === undefined || state === undefined || !z.uuid().safeParse(uuid).success) continue;
    reports.push({
      uuid,
      instanceName: block[1]!,
      state: stoppedNumbers.has(Number(state)) ? 'Stopped' : 'Running',
    });
  }
  return reports;
}
