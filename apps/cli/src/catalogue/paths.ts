import { join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where the profiles are: `$MILLRACE_CONFIG`, else `millrace/config.json` in the user's configuration directory. */
export function configPath(environment: Environment): string {
  const home = environment['HOME'] || '/';
  return (
    environment['MILLRACE_CONFIG'] ||
    join(environment['XDG_CONFIG_HOME'] || join(home, '.config'), 'millrace', 'config.json')
  );
}

/** Where caches and the shell's history are: `$MILLRACE_STATE_DIR`, else `millrace` in the user's state directory. */
export function statePath(environment: Environment): string {
  const home = environment['HOME'] || '/';
  return (
    environment['MILLRACE_STATE_DIR'] ||
    join(environment['XDG_STATE_HOME'] || join(home, '.local', 'state'), 'millrace')
  );
}
