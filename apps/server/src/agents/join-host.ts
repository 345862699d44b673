import { randomUUID } from 'node:crypto';
import type { joinAnswer, joinRequest } from '@millrace/agent-protocol';
import type { z } from 'zod';
import type { Database } from '../store/database.ts';
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
  const hostUuid = randomUUID();
  return deps.database.transaction().execute(async (trx) => {
    const token = await lockJoinToken(trx, request.token, now);
    const cluster = await trx
      .selectFrom('cluster')
      .selectAll()
      .where('id', '=', token.cluster_id)
      .executeTakeFirstOrThrow();
    const certificate = await deps.authority.issueHostCertificate({
      pem: request.certificateRequest,
      hostUuid,
    });
    const host = await trx
      .insertInto('host')
      .values({
        uuid: hostUuid,
        name: request.hostName,
        status: 'Connecting',
        data_center_id: cluster.data_center_id,
        pod_id: cluster.pod_id,
        cluster_id: cluster.id,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    await trx.updateTable('agent_join_token').set({ host_id: host.id }).where('id', '=', token.id).execute();
    return { hostUuid, certificate, caCertificate: deps.authority.certificate };
  });
}
