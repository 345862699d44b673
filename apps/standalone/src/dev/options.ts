import { resolve } from 'node:path';
import { type Parsed, portOf, readArguments } from '../options.ts';

export interface DevOptions {
  readonly hosts: number;
  /** How many times faster than real hosts the simulated ones are. */
  readonly speed: number;
  /** Of faults. Absent: an empty one of its own. */
  readonly faults: string | undefined;
  readonly apiPort: number;
  readonly agentPort: number;
}

const help = `Starts the real management server with simulated hosts, for work on the console, the CLI and the server.
Everything is new at each start and gone at its end. No libvirt, no VMs: see CONTRIBUTING.md.

  npm run dev -- [OPTION…]

  --hosts N        how many (default 20)
  --speed X        so many times faster than real hosts (default 1)
  --faults FILE    JSON, read again when it changes: {"sim-2": {"down": true}, "*": {"slowTransfers": 20}}
  --port N         of the API and the console on 127.0.0.1 (default 8080)
  --agent-port N   for the hosts (default 8250)
  --help           this text
`;

/** Reads the arguments of `npm run dev`. Relative files are those of `directory`. */
export function parseDevOptions(argv: readonly string[], directory: string): Parsed<DevOptions> {
  const read = readArguments(argv, {
    hosts: { type: 'string' },
    speed: { type: 'string' },
    faults: { type: 'string' },
    port: { type: 'string' },
    'agent-port': { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  });
  if ('problem' in read) return { problem: `${read.problem}\n\n${help}` };
  const { values } = read;
  if (values['help']) return { help };
  const hosts = Number(values['hosts'] ?? '20');
  const speed = Number(values['speed'] ?? '1');
  const apiPort = portOf(values['port'] ?? '8080');
  const agentPort = portOf(values['agent-port'] ?? '8250');
  const faults = values['faults'];
  const problem =
    Number.isInteger(hosts) && hosts >= 1 && hosts <= 10_000
      ? speed > 0 && speed <= 1000
        ? undefined
        : '--speed must be a number up to 1000'
      : '--hosts must be a number from 1 to 10000';
  if (problem !== undefined) return { problem: `${problem}.\n\n${help}` };
  if (apiPort === undefined || agentPort === undefined || apiPort === agentPort)
    return { problem: `--port and --agent-port must be two numbers from 1 to 65535.\n\n${help}` };
  return {
    options: {
      hosts,
      speed,
      faults: faults === undefined ? undefined : resolve(directory, String(faults)),
      apiPort,
      agentPort,
    },
  };
}
