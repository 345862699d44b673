import { readFile } from 'node:fs/promises';
import type { Invoker } from './cli-profile.ts';

/**
 * Who typed the command: the user that sudo tells about, else root.
 * @param environment `SUDO_UID`, `SUDO_GID`
 */
export async function findInvoker(environment: NodeJS.ProcessEnv): Promise<Invoker> {
  return invokerFrom(await readFile('/etc/passwd', 'utf8'), environment);
}

export function invokerFrom(
  passwd: string,
  environment: Readonly<Record<string, string | undefined>>,
): Invoker {
  const uid = numberOf(environment['SUDO_UID']) ?? 0;
  const fields = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find((each) => each[2] === String(uid));
  const home = uid === 0 ? (environment['HOME'] ?? fields?.[5]) : fields?.[5];
  return { uid, gid: numberOf(environment['SUDO_GID']) ?? numberOf(fields?.[3]) ?? 0, home: home ?? '/root' };
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
