import type { AgentConfig } from '../config.ts';
import { loadIdentity } from '../state/identity.ts';
import { checkHost, type Finding, installCommand } from './checks.ts';

/** Prints what this host has and lacks. @returns whether it can be a host */
export async function runCheck(config: AgentConfig, json: boolean, signal: AbortSignal): Promise<boolean> {
  const identity = await loadIdentity(config.stateDir).catch(() => undefined);
  const findings = await checkHost({ ...config, caCertificate: identity?.caCertificate, signal });
  const able = findings.every(({ state }) => state !== 'missing');
  if (json) {
    process.stdout.write(
      `${JSON.stringify({ able, joined: identity?.hostUuid ?? null, findings }, undefined, 2)}\n`,
    );
    return able;
  }
  process.stdout.write(`${describeFindings(findings)}\n`);
  process.stdout.write(
    identity
      ? `This host has joined as ${identity.hostUuid}.\n`
      : 'This machine has not joined: millrace agent join https://SERVER:8250 --token T\n',
  );
  return able;
}

const marks = { ok: '✔', warning: '!', missing: '✘' } as const;

/** One line a finding, the fix below it. */
export function describeFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ what }) => what.length));
  const lines = findings.flatMap(({ what, state, says, fix }) => [
    `${marks[state]} ${what.padEnd(width)}  ${says}`,
    ...(fix === undefined ? [] : [`  ${' '.repeat(width)}  → ${fix}`]),
  ]);
  const install = installCommand(findings);
  if (install !== undefined && install.split(' ').length > 4) lines.push(`All packages at once: ${install}`);
  return lines.join('\n');
}
