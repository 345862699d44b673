import { randomUUID } from 'node:crypto';
import { describeError, type Logger } from '@millrace/core';
import type { Database } from '../store/database.ts';
import { deletedNetworksAmong } from '../store/networks.ts';
import type { AgentGateway } from './gateway.ts';

const answerWithinMs = 60_000;

export interface DeletedNetworksDeps {
  readonly database: Database;
  readonly gateway: AgentGateway;
  readonly log: Logger;
  /** Aborts when the server stops. */
  readonly signal: AbortSignal;
}

/**
 * Has a host that is back forget the networks that were deleted while it was away. What fails is logged: the host tells
 * what it has whenever it connects. What the cloud never knew is nobody's business here, and stays.
 * @param names what the host told that it has
 */
export async function removeDeletedNetworks(
  { database, gateway, log, signal }: DeletedNetworksDeps,
  hostId: number,
  names: readonly string[],
): Promise<void> {
  try {
    for (const network of await deletedNetworksAmong(database, names)) {
      await gateway.call(
        hostId,
        'network.remove',
        { network },
        {
          operationId: `deleted-network-${randomUUID()}`,
          signal: AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]),
          reconnectWithinMs: 0,
        },
      );
      log.info({ host: hostId, network: network.name }, 'a network that was deleted is gone from a host');
    }
  } catch (error) {
    if (!signal.aborted)
      log.warn({ host: hostId, error: describeError(error) }, 'a deleted network stays on a host');
  }
}
