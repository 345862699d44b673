import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isJsonObject, textMember } from '@millrace/api-client';
import { hasErrorCode, MillraceError } from '@millrace/core';
import { writePrivateFile } from './credentials.ts';
import { chooseGuestNetwork, type GuestNetwork } from './guest-network.ts';

/** What was decided at the first start and holds for good. */
export interface InstanceFile {
  readonly network: GuestNetwork;
  /** True once zone, pod, cluster and so on are in the database. */
  readonly bootstrapped: boolean;
}

const networkKeys = ['libvirtName', 'bridge', 'cidr', 'gateway', 'netmask', 'startIp', 'endIp'] as const;

function pathOf(dataDirectory: string): string {
  return join(dataDirectory, 'instance.json');
}

/** @returns what an earlier start decided, `undefined` when there was none. */
export async function readInstanceFile(dataDirectory: string): Promise<InstanceFile | undefined> {
  const path = pathOf(dataDirectory);
  try {
    const content: unknown = JSON.parse(await readFile(path, 'utf8'));
    const decoded = decode(content);
    if (decoded !== undefined) return decoded;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return undefined;
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new MillraceError(
    'INSTANCE_FILE_DAMAGED',
    `${path} is damaged. Put it back from a backup, or remove this instance with npm run reset.`,
  );
}

/** Reads what was decided, or decides it and stores it before anything is built upon it. */
export async function loadInstanceFile(
  dataDirectory: string,
  instanceId: string,
  signal: AbortSignal,
): Promise<InstanceFile> {
  const known = await readInstanceFile(dataDirectory);
  if (known !== undefined) return known;
  const made = { network: await chooseGuestNetwork(instanceId, signal), bootstrapped: false };
  await storeInstanceFile(dataDirectory, made);
  return made;
}

export async function storeInstanceFile(dataDirectory: string, content: InstanceFile): Promise<void> {
  await writePrivateFile(pathOf(dataDirectory), `${JSON.stringify(content, undefined, 2)}\n`);
}

function decode(content: unknown): InstanceFile | undefined {
  if (!isJsonObject(content) || !isJsonObject(content['network'])) return undefined;
  const network: Partial<Record<(typeof networkKeys)[number], string>> = {};
  for (const key of networkKeys) {
    const value = textMember(content['network'], key);
    if (value === undefined) return undefined;
    network[key] = value;
  }
  // every key has just been given a value
  return { network: network as GuestNetwork, bootstrapped: content['bootstrapped'] === true };
}
