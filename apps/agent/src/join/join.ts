import { createPrivateKey, X509Certificate } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { joinAnswer, joinPath, joinTokenPattern } from '@millrace/agent-protocol';
import { z } from 'zod';
import { serverCertificateName } from '../config.ts';
import { AgentFailure, fail } from '../failure.ts';
import type { Identity } from '../state/identity.ts';
import type { KeyAndRequest } from './certificate-request.ts';
import { fetchCaCertificate, fingerprintOf } from './server-trust.ts';

export interface JoinOptions {
  readonly serverUrl: string;
  readonly token: string;
  readonly hostName: string;
  readonly makeCertificateRequest: (hostName: string) => Promise<KeyAndRequest>;
  readonly signal: AbortSignal;
}

const answerTimeoutMs = 30_000;
const answerLimitBytes = 64 * 1024;
const errorAnswer = z.object({ error: z.union([z.string(), z.object({ message: z.string() })]) });

/**
 * Joins this host to the server that issued the token: makes a key, has it signed, and checks what comes back. The
 * token's secret is sent only after the server has proved, by the fingerprint in the token, to be the issuer.
 * @throws AgentFailure `SERVER_NOT_TRUSTED` and `JOIN_REFUSED` (trying again changes nothing), `SERVER_UNREACHABLE`
 */
export async function joinServer(options: JoinOptions): Promise<Identity> {
  const { serverUrl, token, hostName, signal } = options;
  const fingerprint = joinTokenPattern.exec(token)?.[3];
  if (fingerprint === undefined)
    fail('JOIN_REFUSED', 'the join token is malformed: copy it whole from the server');
  const url = new URL(joinPath, serverUrl);
  const caCertificate = await fetchCaCertificate(url, fingerprint, signal);
  const { privateKey, certificateRequest } = await options.makeCertificateRequest(hostName);
  const answer = await post(url, { token, certificateRequest, hostName }, caCertificate, signal);
  const identity: Identity = {
    hostUuid: answer.hostUuid,
    privateKey,
    certificate: answer.certificate,
    caCertificate: answer.caCertificate,
  };
  checkAnswer(identity, fingerprint);
  return identity;
}

async function post(url: URL, body: object, ca: string, signal: AbortSignal) {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(answerTimeoutMs)]);
  const request = httpsRequest(url, {
    method: 'POST',
    // one connection for one request: nothing may reuse it, and it may not reuse an unverified one
    agent: false,
    ca,
    servername: serverCertificateName,
    minVersion: 'TLSv1.3',
    headers: { 'content-type': 'application/json' },
    signal: bounded,
  });
  const response = Promise.withResolvers<import('node:http').IncomingMessage>();
  request.once('response', response.resolve);
  request.once('error', response.reject);
  let status: number;
  let received: string;
  try {
    request.end(JSON.stringify(body));
    const answer = await response.promise;
    status = answer.statusCode ?? 0;
    received = await pipeline(answer, bounding(answerLimitBytes), text, { signal: bounded });
  } catch (error) {
    signal.throwIfAborted();
    const message = error instanceof Error ? error.message : String(error);
    if (isCertificateProblem(error)) {
      fail(
        'SERVER_NOT_TRUSTED',
        `the server at ${url.host} shows the right CA but cannot prove to be its server (${message}): check MILLRACE_SERVER_URL. Nothing secret was sent`,
        error,
      );
    }
    fail('SERVER_UNREACHABLE', `the join request to ${url.host} got no answer: ${message}`, error);
  }
  if (status === 200 || status === 201) {
    const decoded = joinAnswer.safeParse(parseJson(received));
    if (decoded.success) return decoded.data;
    throw new AgentFailure(
      'JOIN_REFUSED',
      `the server's answer to the join request is malformed: ${z.prettifyError(decoded.error)}`,
    );
  }
  const said = errorAnswer.safeParse(parseJson(received));
  const error = said.data?.error ?? `HTTP status ${status}`;
  const why = typeof error === 'string' ? error : error.message;
  if (status >= 400 && status < 500)
    return fail(
      'JOIN_REFUSED',
      `the server refused to admit this host: ${why}. A token works once: make a new one for each host`,
    );
  return fail('SERVER_UNREACHABLE', `the server could not answer the join request: ${why}`);
}

function checkAnswer(identity: Identity, fingerprint: string): void {
  const ca = new X509Certificate(identity.caCertificate);
  const certificate = new X509Certificate(identity.certificate);
  const sound =
    fingerprintOf(ca) === fingerprint &&
    certificate.verify(ca.publicKey) &&
    certificate.checkPrivateKey(createPrivateKey(identity.privateKey));
  if (!sound)
    fail(
      'JOIN_REFUSED',
      'the server answered with a certificate that is not of its CA or not for this host’s key',
    );
}

function bounding(limitBytes: number) {
  return async function* (source: AsyncIterable<Buffer>) {
    let size = 0;
    for await (const chunk of source) {
      size += chunk.length;
      if (size > limitBytes) throw new Error(`the answer is larger than ${limitBytes} bytes`);
      yield chunk;
    }
  };
}

/** OpenSSL's names for verification failures (X509_V_ERR_*), and Node's for a name that does not fit. */
function isCertificateProblem(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^(ERR_TLS_CERT|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_|PATH_LENGTH_)/.test(code);
}

function parseJson(received: string): unknown {
  try {
    return JSON.parse(received);
  } catch {
    return undefined;
  }
}
