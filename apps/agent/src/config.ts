import { joinTokenPattern } from '@millrace/agent-protocol';
import { z } from 'zod';

/** The name the server's certificate carries whatever its addresses are: what the agent checks instead of an address. */
export const serverCertificateName = 'millrace-server';

export const defaultPoolPath = '/var/lib/millrace/pool';
export const defaultStateDir = '/var/lib/millrace/agent';

const absolutePath = z.string().startsWith('/', 'must be an absolute path');

const pathList = z.preprocess(
  (value) =>
    String(value ?? '')
      .split(',')
      .map((path) => path.trim())
      .filter((path) => path !== ''),
  z.array(absolutePath),
);

const schema = z.object({
  /** State directory of this agent, mode 0700: its identity and settings. */
  stateDir: absolutePath.default(defaultStateDir),
  /** Every management server, in any order: a comma list of URLs. The host is connected to all of them. */
  serverUrls: z.preprocess(
    (value) =>
      String(value ?? 'https://127.0.0.1:8250')
        .split(',')
        .map((url) => url.trim()),
    z
      .array(
        z.url({
          protocol: /^https$/,
          error:
            'must be an https:// URL or several with commas between them, for example https://10.0.0.5:8250',
        }),
      )
      .refine((urls) => new Set(urls).size === urls.length, 'names a server twice'),
  ),
  /** Needed until this host has joined once. */
  joinToken: z
    .string()
    .regex(joinTokenPattern, 'is no join token (mlr1.…): copy it whole from the server')
    .optional(),
  /** Directory of the local storage pool, as libvirt and QEMU see it. */
  poolPath: absolutePath.optional(),
  /** Mounted directories that the server may use as storage pools: a comma list. The operator mounts them. */
  sharedPaths: pathList,
  /** Directories that the server may use as image stores; they need not be mounted: a comma list. */
  storePaths: pathList,
  /** Where images are served to other hosts and to users: `ADDRESS:PORT`. Unset: nowhere. */
  imageListen: z
    .string()
    .regex(/^(\[[0-9a-f:.]+\]|[0-9.]+):\d{1,5}$/i, 'must be ADDRESS:PORT, for example 0.0.0.0:8260')
    .optional(),
  /** How users reach that from outside. */
  imageUrl: z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' }).optional(),
  role: z.enum(['host', 'image-store']).default('host'),
  /** Where NFS shares that are storage pools are mounted. The same on every host, or guests cannot move. */
  mountDirectory: absolutePath.default('/var/lib/millrace/mounts'),
  libvirtUri: z.string().min(1).default('qemu:///system'),
  virtType: z.enum(['auto', 'kvm', 'qemu']).default('auto'),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  /** Stop in order when standard input ends: the program that started the agent has died. */
  exitWithStdin: z.stringbool().default(false),
});

export type AgentConfig = Readonly<z.infer<typeof schema>>;

const variables: Readonly<Record<keyof AgentConfig, string>> = {
  stateDir: 'MILLRACE_AGENT_DIR',
  serverUrls: 'MILLRACE_SERVER_URL',
  joinToken: 'MILLRACE_JOIN_TOKEN',
  poolPath: 'MILLRACE_POOL_PATH',
  sharedPaths: 'MILLRACE_SHARED_PATHS',
  storePaths: 'MILLRACE_STORE_PATHS',
  imageListen: 'MILLRACE_IMAGE_LISTEN',
  imageUrl: 'MILLRACE_IMAGE_URL',
  role: 'MILLRACE_ROLE',
  mountDirectory: 'MILLRACE_MOUNT_DIR',
  libvirtUri: 'MILLRACE_LIBVIRT_URI',
  virtType: 'MILLRACE_VIRT_TYPE',
  logLevel: 'MILLRACE_LOG_LEVEL',
  exitWithStdin: 'MILLRACE_EXIT_WITH_STDIN',
};

/** The configuration cannot be used; the message lists every problem, one a line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads `MILLRACE_*` once into a frozen object. An empty variable counts as unset.
 * @throws ConfigError that lists every problem.
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): AgentConfig {
  const given = Object.fromEntries(
    Object.entries(variables).flatMap(([key, name]) => (environment[name] ? [[key, environment[name]]] : [])),
  );
  const result = schema.safeParse(given);
  if (result.success) return Object.freeze(result.data);
  const problems = result.error.issues.map((issue) => {
    const key = issue.path[0] as keyof AgentConfig;
    const missing = given[key] === undefined;
    return `  ${variables[key]}: ${missing ? 'is not set' : issue.message}`;
  });
  throw new ConfigError(
    `the agent's configuration has ${problems.length} problem(s):\n${problems.join('\n')}`,
  );
}
