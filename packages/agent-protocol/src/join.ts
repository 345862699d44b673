import { z } from 'zod';

/** Path of the join request on the agent port, the only request that is answered without a client certificate. */
export const joinPath = '/agent/join';

/**
 * A one-time token, `mlr1.<id>.<secret>.<fingerprint>`: the fingerprint is the SHA-256 (hex) of the DER certificate of
 * the server's CA, so that the agent knows the server before it trusts it with the secret.
 */
export const joinTokenPattern = /^mlr1\.([a-z0-9]{8,32})\.([A-Za-z0-9_-]{22,64})\.([0-9a-f]{64})$/;

export const joinRequest = z.object({
  token: z.string().regex(joinTokenPattern),
  /** PKCS #10, PEM. */
  certificateRequest: z.string().max(8192),
  hostName: z.string().min(1).max(255),
});

export const joinAnswer = z.object({
  hostUuid: z.uuid(),
  /** PEM, signed by the CA; CN is the host's UUID. */
  certificate: z.string(),
  caCertificate: z.string(),
});
