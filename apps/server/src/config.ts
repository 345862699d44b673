import { join } from 'node:path';
import { z } from 'zod';

const whenAbsent = {
  error: ({ input }: { readonly input?: unknown }) => (input === undefined ? 'is not set' : undefined),
};

/** `127.0.0.1`, `localhost`, `[::1]`: what nobody outside of this machine reaches. */
export function isLoopbackHost(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/i.test(host);
}

/** `8096`, `127.0.0.1:8096`, `[::1]:8096`. */
const loopbackPort = z.string().transform((text, context) => {
  const [, host = '127.0.0.1', digits] = /^(?:(.+):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65535) context.addIssue('must be PORT or 127.0.0.1:PORT');
  else if (!isLoopbackHost(host))
    context.addIssue(`must be on loopback, not ${host}: whoever reaches this port is the root admin`);
  return { host: host.replaceAll(/[[\]]/g, ''), port };
});

const schema = z.object({
  dataDir: z.string(whenAbsent).startsWith('/', 'must be an absolute path'),
  databaseUrl: z.string(whenAbsent).min(1, 'is empty'),
  /** Seals secrets in the database; all its servers have the same. `secret.key` in the data directory when absent. */
  secretKeyFile: z.string().startsWith('/', 'must be an absolute path').optional(),
  apiHost: z.string().default('127.0.0.1'),
  apiPort: z.coerce.number().int().min(0).max(65535).default(8080),
  /** Comma list of addresses or CIDRs of proxies whose X-Forwarded-For tells who calls: failed logins count per caller. */
  trustedProxies: z.string().optional(),
  /** Networks from which `/metrics` may be read, beside loopback. */
  metricsCidrs: z.preprocess(
    (value) =>
      String(value ?? '')
        .split(',')
        .flatMap((cidr) => cidr.trim() || []),
    z.array(z.union([z.cidrv4(), z.cidrv6()], 'must be CIDRs with commas between them')).readonly(),
  ),
  /** Where the API takes calls without credentials, as root admin; nowhere when absent. */
  integrationPort: loopbackPort.optional(),
  agentHost: z.string().default('127.0.0.1'),
  agentPort: z.coerce.number().int().min(0).max(65535).default(8250),
  /** Where hosts reach the servers: a comma list of URLs, told to who joins. Guessed from host and port when absent. */
  agentUrl: z.string().startsWith('https://', 'must be an https:// URL').optional(),
  /** Where the web console has been built; without it there is none. */
  webDir: z.string().startsWith('/', 'must be an absolute path').optional(),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
});

export type ServerConfig = Readonly<z.infer<typeof schema>>;

export function keyFileOf(config: Pick<ServerConfig, 'dataDir' | 'secretKeyFile'>): string {
  return config.secretKeyFile ?? join(config.dataDir, 'secret.key');
}

/**
 * Reads `MILLRACE_*` once into a frozen object.
 * @throws Error that lists every problem, one a line.
 */
export function readConfig(environment: NodeJS.ProcessEnv): ServerConfig {
  const result = schema.safeParse({
    dataDir: environment['MILLRACE_DATA_DIR'],
    databaseUrl: environment['DATABASE_URL'],
    secretKeyFile: environment['MILLRACE_SECRET_KEY_FILE'] || undefined,
    apiHost: environment['MILLRACE_API_HOST'],
    apiPort: environment['MILLRACE_API_PORT'],
    trustedProxies: environment['MILLRACE_TRUSTED_PROXIES'] || undefined,
    metricsCidrs: environment['MILLRACE_METRICS_CIDRS'],
    integrationPort: environment['MILLRACE_INTEGRATION_PORT'] || undefined,
    agentHost: environment['MILLRACE_AGENT_HOST'],
    agentPort: environment['MILLRACE_AGENT_PORT'],
    agentUrl: environment['MILLRACE_AGENT_URL'] || undefined,
    webDir: environment['MILLRACE_WEB_DIR'] || undefined,
    logLevel: environment['MILLRACE_LOG_LEVEL'],
  });
  if (result.success) return Object.freeze(result.data);
  const names: Record<string, string> = { dataDir: 'MILLRACE_DATA_DIR', databaseUrl: 'DATABASE_URL' };
  const problems = result.error.issues.map((issue) => {
    const key = String(issue.path[0]);
    const name = names[key] ?? `MILLRACE_${key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
    return `  ${name}: ${issue.message}`;
  });
  throw new Error(`the server's configuration has ${problems.length} problem(s):\n${problems.join('\n')}`);
}
