import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describeError, runProgram } from '@millrace/core';
import type { AgentConfig } from '../config.ts';
import { fail } from '../failure.ts';
import { makeCertificateRequest } from '../join/certificate-request.ts';
import { joinServer } from '../join/join.ts';
import { identityPath, loadIdentity, openStateDir, storeIdentity } from '../state/identity.ts';
import { settingsPath, storeSettings } from '../state/settings-file.ts';
import { describeFindings } from './check.ts';
import { checkHost } from './checks.ts';

const root = fileURLToPath(new URL('../../../..', import.meta.url));
const unitName = 'millrace-agent.service';

export interface JoinCommand {
  readonly config: AgentConfig;
  /** `-`: it comes by standard input, where no list of processes shows it. */
  readonly token: string;
  readonly start: boolean;
  readonly note: (text: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Makes this machine a host: sees that it can be one, spends the token, keeps identity and settings, and starts the agent
 * where there is a service manager. What is missing is told before the token is spent.
 * @throws AgentFailure `JOIN_REFUSED`, `SERVER_NOT_TRUSTED`, `SERVER_UNREACHABLE`
 */
export async function runJoin({ config, token, start, note, signal }: JoinCommand): Promise<void> {
  const known = await loadIdentity(config.stateDir);
  if (known)
    fail(
      'JOIN_REFUSED',
      `this machine is a host already (${known.hostUuid}): to join another cloud, delete it there and remove ${identityPath(config.stateDir)}`,
    );
  const findings = await checkHost({ ...config, caCertificate: undefined, signal });
  const lacking = findings.filter(({ state }) => state === 'missing');
  if (lacking.length > 0)
    fail('JOIN_REFUSED', `this machine cannot be a host yet:\n${describeFindings(lacking)}`);
  const warnings = findings.filter(({ state }) => state === 'warning');
  if (warnings.length > 0) note(describeFindings(warnings));

  const secret = token === '-' ? (await text(process.stdin)).trim() : token;
  await openStateDir(config.stateDir);
  if (config.poolPath !== undefined) await makePool(config.poolPath);
  const identity = await joinAny(config.serverUrls, secret, signal);
  await storeSettings(config.stateDir, {
    MILLRACE_SERVER_URL: config.serverUrls.join(','),
    ...(config.poolPath === undefined ? {} : { MILLRACE_POOL_PATH: config.poolPath }),
    ...(config.sharedPaths.length === 0 ? {} : { MILLRACE_SHARED_PATHS: config.sharedPaths.join(',') }),
    ...(config.storePaths.length === 0 ? {} : { MILLRACE_STORE_PATHS: config.storePaths.join(',') }),
    ...(config.imageListen === undefined ? {} : { MILLRACE_IMAGE_LISTEN: config.imageListen }),
    ...(config.imageUrl === undefined ? {} : { MILLRACE_IMAGE_URL: config.imageUrl }),
    ...(config.role === 'host' ? {} : { MILLRACE_ROLE: config.role }),
  });
  await storeIdentity(config.stateDir, identity);
  note(`${hostname()} has joined as host ${identity.hostUuid}; settings: ${settingsPath(config.stateDir)}`);
  if (start && (await isDirectory('/run/systemd/system'))) {
    await startUnit(signal);
    note(`the agent runs as ${unitName}: journalctl -u ${unitName} shows what it does`);
  } else note(`start the agent: ${root}bin/millrace agent`);
}

/** The first server that answers signs; a refusal is one for all of them. */
async function joinAny(serverUrls: readonly string[], token: string, signal: AbortSignal) {
  const reasons: string[] = [];
  for (const serverUrl of serverUrls) {
    try {
      return await joinServer({ serverUrl, token, hostName: hostname(), makeCertificateRequest, signal });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'SERVER_UNREACHABLE')) throw error;
      reasons.push(describeError(error));
    }
  }
  fail('SERVER_UNREACHABLE', reasons.join('; '));
}

/** QEMU's own user goes through it to the disks; what is in it, it cannot list. */
async function makePool(path: string): Promise<void> {
  if (await isDirectory(path)) return;
  await mkdir(path, { recursive: true, mode: 0o711 });
  await chmod(path, 0o711);
}

async function startUnit(signal: AbortSignal): Promise<void> {
  const unit = await readFile(`${root}systemd/${unitName}`, 'utf8');
  await writeFile(`/etc/systemd/system/${unitName}`, unit.replaceAll('@ROOT@', root.replace(/\/$/, '')));
  await runProgram('systemctl', ['daemon-reload'], { signal });
  await runProgram('systemctl', ['enable', '--now', unitName], { signal });
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
