import { parseArgs } from 'node:util';

export const agentHelp = `Runs the agent of a KVM host, or makes a machine one.

  millrace agent                       run: connect to the servers and do what they ask
  millrace agent join URL… --token T   make this machine a host: find out whether it can be, join, keep the settings
  millrace agent check [--json]        what this host has and lacks, line by line, each with the fix
  millrace agent --version | --help

  join:
  URL…               every management server, https://SERVER:8250; the host is connected to all of them
  --token T          from addHost on the server (or - to read it from standard input); it works once, for an hour
  --pool DIR         directory of the local storage pool (default /var/lib/millrace/pool)
  --shared DIR,…     mounted directories that may be storage pools of the type SharedMountPoint
  --role R           host (default), or image-store: a machine without a hypervisor that looks after image stores
  --store DIR,…      directories that may be image stores (NFS shares need not be named)
  --image-listen A:P address and port on which images are served to hosts and users (image-store: default 0.0.0.0:8260)
  --no-start         do not make a systemd unit and start it, only say how to start the agent

Settings are kept in /var/lib/millrace/agent/agent.env; the environment goes before them:

  MILLRACE_AGENT_DIR     directory of the agent's own (/var/lib/millrace/agent)
  MILLRACE_SERVER_URL    the servers, with commas
  MILLRACE_POOL_PATH     directory of the local storage pool
  MILLRACE_SHARED_PATHS  mounted directories that may be shared storage pools, with commas
  MILLRACE_STORE_PATHS   directories that may be image stores, with commas
  MILLRACE_IMAGE_LISTEN  ADDRESS:PORT on which images are served; unset: nowhere
  MILLRACE_IMAGE_URL     how users reach that from outside, when it is another URL
  MILLRACE_ROLE          host or image-store
  MILLRACE_MOUNT_DIR     where NFS pools are mounted (/var/lib/millrace/mounts, the same on every host)
  MILLRACE_LIBVIRT_URI   the libvirt to use (qemu:///system)
  MILLRACE_VIRT_TYPE     auto, kvm or qemu (emulation)
  MILLRACE_LOG_LEVEL     debug, info, warn or error
  MILLRACE_JOIN_TOKEN    joins with this token when the host has not joined

Exit status: 0 done, 1 unexpected, 2 something has to be changed first.
`;

export type AgentCommand =
  | { readonly kind: 'run' | 'help' | 'version' }
  | { readonly kind: 'check'; readonly json: boolean }
  | {
      readonly kind: 'join';
      readonly serverUrls: readonly string[];
      readonly token: string;
      readonly poolPath: string | undefined;
      readonly sharedPaths: string | undefined;
      readonly storePaths: string | undefined;
      readonly imageListen: string | undefined;
      readonly role: string | undefined;
      readonly start: boolean;
    }
  | { readonly kind: 'problem'; readonly problem: string };

const problem = (text: string): AgentCommand => ({ kind: 'problem', problem: text });

/** What the arguments after `millrace agent` ask for. */
export function parseCommand(argv: readonly string[]): AgentCommand {
  if (argv.includes('--help') || argv.includes('-h')) return { kind: 'help' };
  if (argv.includes('--version')) return { kind: 'version' };
  const [word, ...rest] = argv;
  try {
    switch (word) {
      case undefined:
      case 'run':
        parseArgs({ args: rest, options: {} });
        return { kind: 'run' };
      case 'check':
        return {
          kind: 'check',
          json: parseArgs({ args: rest, options: { json: { type: 'boolean' } } }).values.json ?? false,
        };
      case 'join':
        return parseJoin(rest);
      default:
        return problem(`millrace agent has no command ${word}: run, join and check are there`);
    }
  } catch (error) {
    return problem(error instanceof Error ? error.message : String(error));
  }
}

function parseJoin(argv: readonly string[]): AgentCommand {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      token: { type: 'string' },
      pool: { type: 'string' },
      shared: { type: 'string' },
      store: { type: 'string' },
      'image-listen': { type: 'string' },
      role: { type: 'string' },
      'no-start': { type: 'boolean' },
    },
  });
  if (positionals.length === 0) return problem('join needs the URL of a server: https://SERVER:8250');
  if (values.token === undefined)
    return problem('join needs --token: addHost on the server makes one (bin/millrace add host …)');
  return {
    kind: 'join',
    serverUrls: positionals,
    token: values.token,
    poolPath: values.pool,
    sharedPaths: values.shared,
    storePaths: values.store,
    imageListen: values['image-listen'] ?? (values.role === 'image-store' ? '0.0.0.0:8260' : undefined),
    role: values.role,
    start: !values['no-start'],
  };
}
