import { createHash, type X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import { serverCertificateName } from '../config.ts';
import { fail } from '../failure.ts';

const handshakeTimeoutMs = 10_000;

/**
 * Fetches the certificate of the server's CA from the chain that the server presents, and checks it by its fingerprint.
 * Nothing is sent on this connection and nothing else is believed of it: what follows happens on a second one, on which
 * this CA, the chain and the name are verified.
 *
 * @param fingerprint SHA-256 of the DER certificate, lower-case hex.
 * @returns PEM
 * @throws AgentFailure `SERVER_NOT_TRUSTED`, `SERVER_UNREACHABLE`
 */
export async function fetchCaCertificate(
  serverUrl: URL,
  fingerprint: string,
  signal: AbortSignal,
): Promise<string> {
  const socket = connect({
    host: serverUrl.hostname.replace(/^\[|\]$/g, ''),
    port: Number(serverUrl.port || 443),
    servername: serverCertificateName,
    minVersion: 'TLSv1.3',
    // judged right below, by the fingerprint
    rejectUnauthorized: false,
  });
  const chain = Promise.withResolvers<X509Certificate[]>();
  const timer = setTimeout(
    () => chain.reject(new Error(`no TLS handshake within ${handshakeTimeoutMs / 1000} s`)),
    handshakeTimeoutMs,
  );
  const onAbort = () => chain.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  socket.once('error', chain.reject);
  socket.once('close', () => chain.reject(new Error('the server closed the connection')));
  socket.once('secureConnect', () => chain.resolve(chainOf(socket.getPeerX509Certificate())));
  try {
    signal.throwIfAborted();
    const presented = await chain.promise;
    const ca = presented.find((certificate) => fingerprintOf(certificate) === fingerprint);
    if (ca) return ca.toString();
    return fail(
      'SERVER_NOT_TRUSTED',
      `the server at ${serverUrl.host} is not the one that issued the join token (none of its ${presented.length} ` +
        'certificates has the fingerprint in the token): check MILLRACE_SERVER_URL and copy the token anew. Nothing secret was sent',
    );
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error && 'code' in error && error.code === 'SERVER_NOT_TRUSTED') throw error;
    return fail(
      'SERVER_UNREACHABLE',
      `the server at ${serverUrl.host} cannot be reached: ${messageOf(error)}`,
      error,
    );
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}

/** SHA-256 of the DER form, lower-case hex. */
export function fingerprintOf(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('hex');
}

function chainOf(leaf: X509Certificate | undefined): X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let next = leaf; next && chain.length < 8; next = next.issuerCertificate) {
    const certificate = next;
    if (chain.some((known) => known.raw.equals(certificate.raw))) break;
    chain.push(certificate);
  }
  return chain;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
