import { fileURLToPath } from 'node:url';

/** A program to run: file and arguments. */
export interface CommandLine {
  readonly file: string;
  readonly argv: readonly string[];
}

const wrapper = fileURLToPath(new URL('./keep-with-launcher.sh', import.meta.url));

/**
 * In a session of its own, so that Ctrl-C at the terminal reaches the launcher alone, which then stops its parts in
 * order. The process keeps its number.
 */
export function inOwnSession({ file, argv }: CommandLine): CommandLine {
  return { file: 'setsid', argv: [file, ...argv] };
}

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** As another user, and ended with SIGINT when its standard input ends. */
export function keptAs(user: Identity, { file, argv }: CommandLine): CommandLine {
  return {
    file: 'sh',
    argv: [
      wrapper,
      'setpriv',
      `--reuid=${user.uid}`,
      `--regid=${user.gid}`,
      '--clear-groups',
      '--',
      file,
      ...argv,
    ],
  };
}
