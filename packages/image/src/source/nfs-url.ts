import { FetchFault } from '../errors.ts';

export type NfsVersion = 3 | 4;

/** A file on an NFS server, decoded. */
export interface NfsFile {
  /** A name or a literal address, without brackets. */
  readonly host: string;
  /** Of the NFS service, when the URL names one; mountd's is always asked of the portmapper. */
  readonly port: number | undefined;
  /** What is mounted: the directory of the file, which lies in an export or is one. */
  readonly directory: string;
  readonly name: string;
  /** `undefined`: whichever the server speaks. */
  readonly version: NfsVersion | undefined;
}

/**
 * Requests are made as nobody. The user of an NFS request is whoever the client claims to be, so asking as root would
 * let whoever names the URL read what only root may: other tenants' disks on a pool that is an NFS export, for one.
 */
export const nobody = 65534;

/**
 * Reads `nfs://host[:port]/export/path/file[?version=3|4]` (RFC 2224's form; the path is percent-encoded). libnfs's own
 * parameters (uid, gid, debug, …) are refused, since they would change who asks and how.
 * @throws FetchFault `SOURCE_URL_INVALID`; `SCHEME_REFUSED` for another scheme.
 */
export function parseNfsUrl(text: string): NfsFile {
  if (!URL.canParse(text)) throw invalid('it is not an absolute URL');
  const url = new URL(text);
  if (url.protocol !== 'nfs:') throw new FetchFault('SCHEME_REFUSED', url.protocol.replace(/:$/, ''));
  if (url.username !== '' || url.password !== '') throw invalid('NFS knows no user names in URLs');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host === '') throw invalid('it names no host');
  const path = decodedPath(url.pathname);
  const cut = path.lastIndexOf('/');
  const directory = path.slice(0, cut);
  const name = path.slice(cut + 1);
  if (directory === '' || name === '') throw invalid('it must be like nfs://host/export/file');
  return { host, port: portOf(url), directory, name, version: versionOf(url) };
}

/** The URL that libnfs's tools get: the address that was checked instead of the name, which could change its mind. */
export function nfsToolUrl(
  file: NfsFile,
  options: { readonly address: string; readonly version: NfsVersion; readonly directoryOnly?: boolean },
): string {
  const parameters = [
    `version=${options.version}`,
    `uid=${nobody}`,
    `gid=${nobody}`,
    // what is nested below the directory is not wanted, and a hostile server could list a million of them
    'auto-traverse-mounts=0',
    ...(file.port === undefined ? [] : [`nfsport=${file.port}`]),
  ].join('&');
  const path = options.directoryOnly ? file.directory : `${file.directory}/${file.name}`;
  // libnfs wants IPv6 addresses without brackets and paths as they are, not percent-encoded
  return `nfs://${options.address}${path}?${parameters}`;
}

function decodedPath(encoded: string): string {
  let path: string;
  try {
    path = decodeURIComponent(encoded);
  } catch {
    throw invalid('its path is not percent-encoded UTF-8');
  }
  // libnfs ends the path at a question mark, and some of its versions decode percent signs once more
  if (/[\p{Cc}?%]/u.test(path)) throw invalid('its path has control characters, “?” or “%”');
  if (path.split('/').some((segment, index) => index > 0 && ['', '.', '..'].includes(segment))) {
    throw invalid('its path has empty, “.” or “..” segments, or names no file');
  }
  if (Buffer.byteLength(path) > 1000) throw invalid('its path is too long');
  return path;
}

function portOf(url: URL): number | undefined {
  const port = url.port === '' ? undefined : Number(url.port);
  if (port === 0) throw invalid('port 0 does not exist');
  return port;
}

function versionOf(url: URL): NfsVersion | undefined {
  let version: NfsVersion | undefined;
  for (const [name, value] of url.searchParams) {
    if (name !== 'version' || (value !== '3' && value !== '4') || version !== undefined) {
      throw invalid('its only parameter can be version=3 or version=4');
    }
    version = value === '3' ? 3 : 4;
  }
  return version;
}

function invalid(found: string): FetchFault {
  return new FetchFault('SOURCE_URL_INVALID', found);
}
