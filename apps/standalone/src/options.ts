import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export interface StartOptions {
  readonly dataDirectory: string;
  readonly apiPort: number;
  readonly agentPort: number;
  /** Address on which hosts' agents are taken. */
  readonly agentHost: string;
  readonly demo: boolean;
  /** Install missing system packages; otherwise only say which are missing. */
  readonly install: boolean;
}

export interface ResetOptions {
  readonly dataDirectory: string;
  readonly confirmed: boolean;
}

/** What the arguments ask for: `problem` and `help` are texts to print before leaving. */
export type Parsed<T> = { readonly options: T } | { readonly help: string } | { readonly problem: string };

const startHelp = `Starts Millrace on this machine: database, management server, host agent, and a first VM.

  npm start -- [OPTION…]

  --no-demo          do not build the tiny template and deploy a VM from it
  --data-dir DIR     everything Millrace keeps (default: var in the project's directory)
  --port N           port of the API on 127.0.0.1 (default 8080)
  --agent-port N     port for hosts' agents (default 8250)
  --agent-host ADDR  address for hosts' agents (default 127.0.0.1; 0.0.0.0 lets other machines join, see bin/millrace add host)
  --no-install       do not install system packages, only say which are missing
  --help             this text
`;

const resetHelp = `Removes what npm start made on this machine: its VMs, their network, its data directory.

  npm run reset -- [OPTION…]

  --yes              do not ask
  --data-dir DIR     the data directory given to npm start (default: var in the project's directory)
  --help             this text
`;

/** Reads the arguments of `npm start`. Relative directories are those of `root`. */
export function parseStartOptions(argv: readonly string[], root: string): Parsed<StartOptions> {
  const read = readArguments(argv, {
    'no-demo': { type: 'boolean' },
    'data-dir': { type: 'string' },
    port: { type: 'string' },
    'agent-port': { type: 'string' },
    'agent-host': { type: 'string' },
    'no-install': { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  if ('problem' in read) return { problem: `${read.problem}\n\n${startHelp}` };
  const { values } = read;
  if (values['help']) return { help: startHelp };
  const apiPort = portOf(values['port'] ?? '8080');
  const agentPort = portOf(values['agent-port'] ?? '8250');
  if (apiPort === undefined || agentPort === undefined) {
    const name = apiPort === undefined ? '--port' : '--agent-port';
    return { problem: `${name} must be a number from 1 to 65535.\n\n${startHelp}` };
  }
  const agentHost = String(values['agent-host'] ?? '127.0.0.1');
  if (isIP(agentHost) === 0) return { problem: `--agent-host must be an IP address.\n\n${startHelp}` };
  if (apiPort === agentPort) return { problem: `--port and --agent-port must differ.\n\n${startHelp}` };
  return {
    options: {
      dataDirectory: resolve(root, String(values['data-dir'] ?? 'var')),
      apiPort,
      agentPort,
      agentHost,
      demo: !values['no-demo'],
      install: !values['no-install'],
    },
  };
}

/** Reads the arguments of `npm run reset`. */
export function parseResetOptions(argv: readonly string[], root: string): Parsed<ResetOptions> {
  const read = readArguments(argv, {
    yes: { type: 'boolean', short: 'y' },
    'data-dir': { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  });
  if ('problem' in read) return { problem: `${read.problem}\n\n${resetHelp}` };
  if (read.values['help']) return { help: resetHelp };
  return {
    options: {
      dataDirectory: resolve(root, String(read.values['data-dir'] ?? 'var')),
      confirmed: read.values['yes'] === true,
    },
  };
}

type Specification = Record<string, { readonly type: 'boolean' | 'string'; readonly short?: string }>;
type Values = Record<string, string | boolean | undefined>;

export function readArguments(
  argv: readonly string[],
  options: Specification,
): { readonly values: Values } | { readonly problem: string } {
  try {
    // none of the options may be given several times, so no value is an array
    return { values: parseArgs({ args: [...argv], options, strict: true }).values as Values };
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

export function portOf(value: string | boolean): number | undefined {
  const text = String(value);
  const port = Number(text);
  return /^\d{1,5}$/.test(text) && port >= 1 && port <= 65535 ? port : undefined;
}
