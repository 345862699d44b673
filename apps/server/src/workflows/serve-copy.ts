import { randomUUID } from 'node:crypto';
import type { AgentGateway } from '../agents/gateway.ts';
import { AgentCallError } from '../domain/failure-policy.ts';
import type { Database } from '../store/database.ts';
import { recordFileDigest, type StoredCopy, serversOf } from '../store/stored-copies.ts';
import { callHost } from './agent-call.ts';
import { loadPlace } from './records.ts';

export interface ServeDeps {
  readonly agents: AgentGateway;
  readonly database: Database;
  readonly signal: AbortSignal;
}

export interface ServedCopy {
  readonly hostName: string;
  /** Secret, both: whoever has one may read the image. */
  readonly hostUrl: string;
  readonly publicUrl: string;
  readonly sizeBytes: number;
  /** `{ALG}hex` of the file. */
  readonly digest: string;
}

/**
 * Has a host that reaches a copy offer it for some time, and says what it is to be.
 * @throws AgentCallError `IMAGE_NOT_SERVED` when none does
 */
export async function serveCopy(
  deps: ServeDeps,
  copy: StoredCopy,
  options: { readonly name: string; readonly lifetimeSeconds: number },
): Promise<ServedCopy> {
  const { agents, database, signal } = deps;
  const reasons: string[] = [];
  for (const server of await serversOf(database, copy.poolId)) {
    if (!agents.isConnected(server.hostId)) {
      reasons.push(`host ${server.name} is not connected`);
      continue;
    }
    try {
      const { pool } = await loadPlace(database, server.hostId, copy.poolId);
      const call = { hostId: server.hostId, signal, reconnectMs: 0 } as const;
      const served = await callHost(agents, {
        ...call,
        method: 'image.serve',
        params: { pool, installPath: copy.installPath, ...options },
        operationId: `serve-${randomUUID()}`,
      });
      return {
        hostName: server.name,
        hostUrl: server.hostUrl + served.path,
        publicUrl: server.publicUrl + served.path,
        sizeBytes: served.sizeBytes,
        digest: copy.fileDigest ?? (await readBack(deps, copy, server.hostId)),
      };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof AgentCallError)) throw error;
      reasons.push(`host ${server.name}: ${error.message}`);
    }
  }
  const place = copy.role === 'Image' ? 'image store' : 'storage pool';
  throw new AgentCallError(
    'IMAGE_NOT_SERVED',
    `the copy on ${place} ${copy.poolName} cannot be read: ${reasons.join('; ') || 'no host that reaches it serves images (MILLRACE_IMAGE_LISTEN of its agent)'}`,
  );
}

/** Reads a copy's file whole, and keeps its digest. @returns `{ALG}hex` */
export async function readBack(deps: ServeDeps, copy: StoredCopy, hostId: number): Promise<string> {
  const { pool } = await loadPlace(deps.database, hostId, copy.poolId);
  const { checksum } = await callHost(deps.agents, {
    hostId,
    method: 'template.digest',
    params: { pool, installPath: copy.installPath },
    operationId: `digest-${randomUUID()}`,
    signal: deps.signal,
    reconnectMs: 0,
  });
  if (copy.fileDigest === null) await recordFileDigest(deps.database, copy, checksum);
  return checksum;
}
