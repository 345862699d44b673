import { randomUUID } from 'node:crypto';
import type { joinAnswer, joinRequest } from '@millrace/agent-protocol';
import { MillraceError } from '@millrace/core';
import type { z } from 'zod';
import type { Database, Executor } from '../store/database.ts';
import type { Row } from '../store/schema.ts';
import type { CertificateAuthority } from './certificate-authority.ts';
import { lockJoinToken } from './join-token.ts';

export type JoinRequest = z.infer<typeof joinRequest>;
export type JoinAnswer = z.infer<typeof joinAnswer>;

/**
 * Admits a host: spends its token, makes its row in the token's cluster and signs its key, all or nothing.
 * @throws MillraceError `JOIN_TOKEN_REFUSED`, `CERTIFICATE_REQUEST_REFUSED`
 */
export async function joinHost(
  deps: { readonly database: Database; readonly authority: CertificateAuthority },
  request: JoinRequest,
  now: Date,
): Promise<JoinAnswer> {
  return deps.database.transaction().execute(async (trx) => {
    const token = await lockJoinToken(trx, request.token, now);
    const cluster = await trx
      .selectFrom('cluster')
      .selectAll()
      .where('id', '=', token.cluster_id)
      .executeTakeFirstOrThrow();
    const host = await hostOf(trx, request, token, cluster);
    const certificate = await deps.authority.issueHostCertificate({
      pem: request.certificateRequest,
      hostUuid: host.uuid,
    });
    await trx.updateTable('agent_join_token').set({ host_id: host.id }).where('id', '=', token.id).execute();
    return { hostUuid: host.uuid, certificate, caCertificate: deps.authority.certificate };
  });
}

/** The row that addHost made for this token, or a new one. @throws MillraceError `JOIN_TOKEN_REFUSED` when it was deleted */
async function hostOf(
  trx: Executor,
  request: JoinRequest,
  token: Row<'agent_join_token'>,
  cluster: Row<'cluster'>,
): Promise<{ readonly id: number; readonly uuid: string }> {
  if (token.for_host_id !== null) {
    const added = await trx
      .updateTable('host')
      .set({ name: request.hostName })
      .where('id', '=', token.for_host_id)
      .where('removed', 'is', null)
      .returning(['id', 'uuid'])
      .executeTakeFirst();
    if (added) return added;
    throw new MillraceError('JOIN_TOKEN_REFUSED', 'the join token is refused: its host was deleted');
  }
  return trx
    .insertInto('host')
    .values({
      uuid: randomUUID(),
      name: request.hostName,
      status: 'Connecting',
      data_center_id: cluster.data_center_id,
      pod_id: cluster.pod_id,
      cluster_id: cluster.id,
    })
    .returning(['id', 'uuid'])
    .executeTakeFirstOrThrow();
}
