import { randomUUID } from 'node:crypto';
import type { AgentMethods, ResultOf } from '@millrace/agent-protocol';
import { ApiError, invalidParameter } from '@millrace/api';
import { describeError, MillraceError } from '@millrace/core';
import type { ProbeRequest } from './probe-source.ts';

/** Clients give a call ten seconds, and the image is looked at afterwards. */
const answerWithinMs = 4000;

/**
 * Has a live host find an image's checksum in a list; hosts that do not answer are passed over.
 * @throws ApiError 431 when the list or its entry is no good, with the reason; 530 when no host can look
 */
export async function findChecksum(
  request: ProbeRequest & { readonly checksumUrl: string },
): Promise<ResultOf<AgentMethods, 'checksum.find'>> {
  const { agents, hosts, source, policy, checksumUrl, log } = request;
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(answerWithinMs)]);
  const failures: string[] = [];
  for (const host of hosts) {
    if (signal.aborted) break;
    try {
      const options = { operationId: `checksum-${randomUUID()}`, signal, reconnectWithinMs: 1000 };
      return await agents.call(host.id, 'checksum.find', { source, policy, checksumUrl }, options);
    } catch (error) {
      if (error instanceof MillraceError && 'failureClass' in error && error.failureClass === 'stop') {
        throw invalidParameter('checksum', `no checksum was found: ${error.message}`);
      }
      log.warn({ host: host.id, error: describeError(error) }, 'a host could not look for a checksum');
      failures.push(
        `host ${host.name}: ${error instanceof MillraceError ? error.message : 'it failed to answer'}`,
      );
    }
  }
  request.signal.throwIfAborted();
  throw new ApiError(
    'INTERNAL_ERROR',
    `no host could look for the checksum${failures.length > 0 ? `: ${failures.join('; ')}` : ', as none is Up and Enabled'}`,
  );
}
