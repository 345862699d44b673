import { connect as connectPlain, isIP, type NetConnectOpts, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { type ConnectorOptions, checkTarget, guardedOptions } from './connector.ts';
import type { OnRead } from './range-connection.ts';

/**
 * Opens a socket to the server of a URL under the same policy as every other connection.
 * @throws FetchFault `EGRESS_REFUSED`; what a lookup finds is an error of the socket
 */
export function openGuardedSocket(url: URL, options: ConnectorOptions, onread: OnRead): Socket {
  const secure = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port);
  checkTarget(options.addresses, host, port);
  // the types know neither `onread` of a function nor a lookup that may be asked for all addresses
  const common: object = {
    ...guardedOptions(options),
    host,
    port,
    onread,
    noDelay: true,
    autoSelectFamily: true,
  };
  if (!secure) return connectPlain(common as NetConnectOpts);
  const secured: ConnectionOptions = {
    ...common,
    ALPNProtocols: ['http/1.1'],
    ...(isIP(host) ? {} : { servername: host }),
  };
  return connectTls(secured);
}
