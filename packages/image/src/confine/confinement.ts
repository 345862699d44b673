import { realpath } from 'node:fs/promises';
import { runProgram } from '@millrace/core';
import { findProgram } from './find-program.ts';

/** What a program that reads hostile bytes may use up. Always applied, whatever else is available. */
export interface ProgramLimits {
  /** Of address space: everything it maps, stacks included. */
  readonly memoryBytes: number;
  readonly cpuSeconds: number;
  readonly openFiles: number;
  /** Size of the largest file it may write, pipes apart. */
  readonly fileBytes: number;
}

/** Absolute paths of files that exist. Everything else is out of reach under bubblewrap. */
export interface ReachableFiles {
  readonly read?: readonly string[];
  readonly write?: readonly string[];
}

/**
 * To be started with `wholeGroup`: a bubblewrap that is killed while it begins leaves a process behind that waits for it
 * forever, with the streams open.
 */
export interface ConfinedCommand {
  readonly file: string;
  readonly argv: readonly string[];
  readonly confinedBy: 'bubblewrap' | 'limits';
}

/** How programs that read hostile bytes are started on this host. */
export interface Confinement {
  /**
   * `bubblewrap`: no network, no other processes, no files but `/usr`, `/dev/null` and those named, no capabilities, an unknown user.
   * `limits`: none of that, as bubblewrap is missing or may not create namespaces here.
   */
  readonly kind: 'bubblewrap' | 'limits';
  /** Why it is only limits. */
  readonly reason?: string;
  /** @param program an absolute path; one outside of `/usr` gets limits only */
  command(
    program: string,
    argv: readonly string[],
    rules: { readonly limits: ProgramLimits; readonly files?: ReachableFiles },
  ): ConfinedCommand;
}

const isolation = [
  ...['--unshare-all', '--unshare-user', '--uid', '65534', '--gid', '65534', '--cap-drop', 'ALL'],
  ...[
    '--die-with-parent',
    '--new-session',
    '--clearenv',
    '--setenv',
    'LC_ALL',
    'C',
    '--hostname',
    'confined',
  ],
  ...['--ro-bind', '/usr', '/usr', '--symlink', 'usr/bin', '/bin', '--symlink', 'usr/lib', '/lib'],
  ...['--symlink', 'usr/lib64', '/lib64', '--ro-bind-try', '/etc/ld.so.cache', '/etc/ld.so.cache'],
  ...['--dev-bind', '/dev/null', '/dev/null', '--chdir', '/'],
];
/** Last, when every place for a file is made: it is kept in memory, which nobody may fill. */
const readOnlyRoot = ['--remount-ro', '/'];
const trialTimeoutMs = 10_000;

/**
 * Finds out what this host has, by trying it: bubblewrap may be installed and still not be allowed to create namespaces
 * (containers, hardened kernels). Costs the start of two programs, about 10 ms, so that callers keep the answer.
 * @returns `undefined` when not even limits can be set, as `prlimit` (util-linux) is missing
 */
export async function findConfinement(
  signal: AbortSignal,
  searchPath?: string,
): Promise<Confinement | undefined> {
  const prlimit = await findProgram('prlimit', searchPath);
  if (prlimit === undefined) return undefined;
  const bwrap = await findProgram('bwrap', searchPath);
  if (bwrap === undefined) return limitsOnly(prlimit, 'bubblewrap is not installed');
  try {
    const trial = [...isolation, ...readOnlyRoot, '--', '/usr/bin/true'];
    await runProgram(bwrap, trial, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(trialTimeoutMs)]),
      wholeGroup: true,
    });
  } catch (error) {
    signal.throwIfAborted();
    return limitsOnly(prlimit, error instanceof Error ? error.message : String(error));
  }
  const limited = limitsOnly(prlimit, '');
  const real = await realpath(prlimit);
  return {
    kind: 'bubblewrap',
    command(program, argv, rules) {
      const inner = limited.command(program, argv, rules);
      if (!program.startsWith('/usr/') || !real.startsWith('/usr/')) return inner;
      const { read = [], write = [] } = rules.files ?? {};
      const files = [
        ...read.flatMap((path) => ['--ro-bind', path, path]),
        ...write.flatMap((path) => ['--bind', path, path]),
      ];
      return {
        file: bwrap,
        argv: [...isolation, ...files, ...readOnlyRoot, '--', real, ...inner.argv],
        confinedBy: 'bubblewrap',
      };
    },
  };
}

function limitsOnly(prlimit: string, reason: string): Confinement {
  return {
    kind: 'limits',
    reason,
    command: (program, argv, { limits }) => ({
      file: prlimit,
      argv: [
        `--as=${limits.memoryBytes}`,
        `--cpu=${limits.cpuSeconds}`,
        `--nofile=${limits.openFiles}`,
        `--fsize=${limits.fileBytes}`,
        '--core=0',
        '--',
        program,
        ...argv,
      ],
      confinedBy: 'limits',
    }),
  };
}
