import { parseArgs } from 'node:util';
import { z } from 'zod';
import { ipv4Number, ipv4Text } from '../domain/addresses.ts';

export const initUsage = `Makes a new cloud in the database at DATABASE_URL: tables, administrator, first zone, pod, cluster, network, offerings.

  millrace server init [OPTION…]

  --zone NAME            name of the first zone (default Zone1)
  --network CIDR         addresses for guests, a /16 to /28 behind each host's own (default 10.201.1.0/24)
  --password FILE        file with the password of admin, or - for standard input; made up and printed when absent
  --allowed-cidrs LIST   private networks that images may come from, with commas (none)
  --help                 this text

On a database that holds a cloud already it brings the tables up to date and changes nothing else.
`;

const schema = z.object({
  zone: z.string().min(1, 'is empty').max(255, 'is longer than 255 characters'),
  network: z.cidrv4('must be an IPv4 network such as 10.201.1.0/24'),
  password: z.string().min(1, 'is empty').optional(),
  allowedCidrs: z.array(z.cidrv4('must be IPv4 networks with commas between them')),
});

export interface InitOptions {
  readonly zone: string;
  readonly network: GuestNetworkPlan;
  /** Where the password is: a file's path, or `-`. */
  readonly passwordFile: string | undefined;
  readonly allowedCidrs: readonly string[];
}

/** The addresses of the first network, as `firstStartInput` wants them. */
export interface GuestNetworkPlan {
  readonly libvirtName: string;
  readonly bridge: string;
  readonly cidr: string;
  readonly gateway: string;
  readonly netmask: string;
  readonly startIp: string;
  readonly endIp: string;
}

/**
 * Reads the arguments of `millrace server init`.
 * @returns undefined when help was asked for
 * @throws Error that names the option and its rule
 */
export function readInitOptions(argv: readonly string[]): InitOptions | undefined {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      zone: { type: 'string', default: 'Zone1' },
      network: { type: 'string', default: '10.201.1.0/24' },
      password: { type: 'string' },
      'allowed-cidrs': { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const read = schema.safeParse({
    zone: values.zone,
    network: values.network,
    password: values.password,
    allowedCidrs: values['allowed-cidrs'].split(',').flatMap((cidr) => cidr.trim() || []),
  });
  if (!read.success) {
    const [issue] = read.error.issues;
    const option = issue?.path[0] === 'allowedCidrs' ? 'allowed-cidrs' : String(issue?.path[0]);
    throw new Error(`--${option} ${issue?.message}`);
  }
  const { zone, network, password, allowedCidrs } = read.data;
  return { zone, network: planNetwork(network), passwordFile: password, allowedCidrs };
}

/** Gateway first, the next eight kept for the operator, guests from there to the last but five. */
function planNetwork(cidr: string): GuestNetworkPlan {
  const [address = '', length = ''] = cidr.split('/');
  const bits = Number(length);
  if (bits < 16 || bits > 28) throw new Error('--network must be a /16 to a /28');
  const size = 2 ** (32 - bits);
  const number = ipv4Number(address);
  if (number % size !== 0) {
    throw new Error(
      `--network must begin at its first address: ${ipv4Text(number - (number % size))}/${bits}`,
    );
  }
  const reserved = Math.min(10, size / 4);
  return {
    libvirtName: 'millrace-guests',
    bridge: 'mlrguests',
    cidr,
    gateway: ipv4Text(number + 1),
    netmask: ipv4Text(2 ** 32 - size),
    startIp: ipv4Text(number + reserved),
    endIp: ipv4Text(number + size - 6),
  };
}
