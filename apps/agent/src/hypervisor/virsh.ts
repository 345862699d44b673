import { describeError, hasErrorCode, MillraceError, runProgram } from '@millrace/core';
import { type AgentCode, AgentFailure } from '../failure.ts';

/** Runs one virsh command with its arguments and returns what it printed. @throws VirshFailure */
export type Virsh = (
  argv: readonly string[],
  options: {
    readonly signal: AbortSignal;
    /** Instead of the usual bound, for what takes as long as a guest is large. */
    readonly withinMs?: number;
    /** Open files that virsh finds as its descriptors 3, 4, …: for secrets. */
    readonly descriptors?: readonly number[];
  },
) => Promise<string>;

/** What libvirt said, as far as the agent acts on it. */
export type VirshProblem =
  | 'unavailable'
  | 'no-domain'
  | 'no-network'
  | 'domain-running'
  | 'domain-not-running'
  | 'network-active'
  | 'network-inactive'
  | 'tray-locked'
  | 'exists'
  | 'other';

export class VirshFailure extends AgentFailure {
  readonly problem: VirshProblem;

  constructor(problem: VirshProblem, message: string, cause: unknown) {
    super(codes[problem], message, { cause });
    this.name = 'VirshFailure';
    this.problem = problem;
  }
}

const codes: Readonly<Record<VirshProblem, AgentCode>> = {
  unavailable: 'LIBVIRT_UNAVAILABLE',
  'no-domain': 'VM_MISSING',
  'no-network': 'NETWORK_UNAVAILABLE',
  'domain-running': 'LIBVIRT_FAILED',
  'domain-not-running': 'LIBVIRT_FAILED',
  'network-active': 'NETWORK_UNAVAILABLE',
  'network-inactive': 'NETWORK_UNAVAILABLE',
  'tray-locked': 'CDROM_LOCKED',
  exists: 'LIBVIRT_FAILED',
  other: 'LIBVIRT_FAILED',
};

/** Texts of libvirt 9's messages in the C locale (src/util/virerror.c and the drivers), tried in order. */
const texts: readonly (readonly [RegExp, VirshProblem])[] = [
  [
    /failed to connect to the hypervisor|client socket is closed|end of file|cannot recv data|Connection refused/i,
    'unavailable',
  ],
  [/failed to get domain|domain not found/i, 'no-domain'],
  [/failed to get network|network not found/i, 'no-network'],
  [/domain is already (active|running)/i, 'domain-running'],
  [/domain is not running/i, 'domain-not-running'],
  [/network is already active/i, 'network-active'],
  [/network '[^']*' is not active/i, 'network-inactive'],
  [/tray of disk .* is locked|is locked and force|Device .* is locked/i, 'tray-locked'],
  [/already exists|already (?:defined|in use)/i, 'exists'],
];

/** Recognises libvirt's message. Exported for its table test. */
export function problemOf(stderr: string): VirshProblem {
  return texts.find(([pattern]) => pattern.test(stderr))?.[1] ?? 'other';
}

/** A start under load takes seconds; a call that takes this long will not end. */
const timeoutMs = 60_000;

export function makeVirsh(options: { readonly uri: string }): Virsh {
  return async (argv, { signal, withinMs = timeoutMs, descriptors = [] }) => {
    const timeout = AbortSignal.timeout(withinMs);
    try {
      const result = await runProgram('virsh', ['--quiet', '-c', options.uri, ...argv], {
        signal: AbortSignal.any([signal, timeout]),
        descriptors,
      });
      return result.stdout;
    } catch (error) {
      signal.throwIfAborted();
      if (timeout.aborted)
        throw new VirshFailure(
          'unavailable',
          `libvirt did not answer 'virsh ${argv[0]}' within ${withinMs / 1000} s`,
          error,
        );
      if (hasErrorCode(error, 'PROGRAM_MISSING'))
        throw new VirshFailure(
          'unavailable',
          'virsh is not installed on this host: install the package libvirt-clients',
          error,
        );
      if (!(error instanceof MillraceError) || error.code !== 'PROGRAM_FAILED') throw error;
      const said = String(error.details['stderr'] ?? '')
        .replaceAll(/^error: /gm, '')
        .trim()
        .replaceAll(/\s*\n\s*/g, '; ');
      throw new VirshFailure(problemOf(said), `libvirt: ${said || describeError(error)}`, error);
    }
  };
}

/** Resolves to `undefined` instead of rejecting when libvirt has this problem. */
export async function unless<T>(problem: VirshProblem, attempt: Promise<T>): Promise<T | undefined> {
  try {
    return await attempt;
  } catch (error) {
    if (error instanceof VirshFailure && error.problem === problem) return undefined;
    throw error;
  }
}
