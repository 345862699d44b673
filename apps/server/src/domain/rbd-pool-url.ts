import { invalidParameter } from '@millrace/api';

/** Who may use a pool of a Ceph cluster, beside where its monitors are. */
export interface RbdPlace {
  readonly port?: number;
  readonly user: string;
  /** base64, as Ceph prints it. */
  readonly secret: string;
}

const form = /^rbd:\/\/([^:@/]+):(.+)@([^@/]+)\/([^/@]+)\/?$/i;
const monitorName = /^(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9.-]*[a-z0-9])?)$/i;
const plainName = /^[A-Za-z0-9_.][A-Za-z0-9_.-]*$/;

/**
 * Reads `rbd://USER:SECRET@MONITOR[,MONITOR…][:PORT]/POOL`. A secret of Ceph is base64: clients of CloudStack write its
 * `+` and `/` as `-` and `_` (its user interface does, and LibvirtStorageAdaptor reads them so), percent-encoded, or as
 * they are. Read by a pattern, since URL parsers take the `/` of a secret for the beginning of the path.
 * @throws ApiError 431 naming the rule, and never what was given
 */
export function rbdPoolPlace(url: string) {
  const [, userText = '', secretText = '', address = '', poolText = ''] = form.exec(url) ?? [];
  const [, hosts = '', portText] = /^(.*?)(?::(\d{1,5}))?$/.exec(address) ?? [];
  const monitors = hosts.split(',');
  const user = decoded(userText);
  const path = decoded(poolText);
  const secret = decoded(secretText)?.replaceAll('-', '+').replaceAll('_', '/');
  if (user === undefined || path === undefined || secret === undefined || userText === '') {
    throw invalidParameter('url', 'must be like rbd://USER:SECRET@MONITOR/POOL');
  }
  if (!monitors.every((name) => monitorName.test(name)) || monitors.length > 9) {
    throw invalidParameter('url', 'must name the monitors of the Ceph cluster: MONITOR[,MONITOR…][:PORT]');
  }
  if (!plainName.test(user) || !plainName.test(path)) {
    throw invalidParameter(
      'url',
      'must have a plain name as its user and its pool: letters, digits, . _ and -',
    );
  }
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(secret)) {
    throw invalidParameter(
      'url',
      'must have the user’s key in base64, its + and / as they are or as - and _',
    );
  }
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && (port < 1 || port > 65_535))
    throw invalidParameter('url', 'has no possible port');
  return {
    type: 'RBD' as const,
    path,
    server: hosts.toLowerCase(),
    rbd: { user, secret, ...(port === undefined ? {} : { port }) },
  };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
