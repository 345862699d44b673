import { redactUrl } from '@millrace/core';
import { FetchFault } from '../errors.ts';
import type { EgressPolicy } from '../types.ts';
import { makeAddressCheck } from './egress.ts';
import { guardedBody } from './guarded-body.ts';
import { allowedAddresses, checkReachable, type ResolveOptions } from './host-addresses.ts';
import type { OpenedSource } from './http-source.ts';
import { findNfsEntry, type NfsEntry, readNfsFile } from './nfs-tools.ts';
import { type NfsFile, type NfsVersion, nfsToolUrl, parseNfsUrl } from './nfs-url.ts';
import { peekBody } from './peek.ts';

export interface NfsOptions {
  readonly egress: EgressPolicy | undefined;
  readonly connectTimeoutMs: number;
  readonly stallTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly lookup?: ResolveOptions['lookup'];
  /**
   * Where the body begins. libnfs's tools read from the first byte only, so everything before is read again from the
   * server (at wire speed) and dropped: it saves writing and verifying, not the network.
   */
  readonly offsetBytes?: number;
}

const portmapperPort = 111;
const nfsPort = 2049;

/**
 * Opens `nfs://host[:port]/export/path/file[?version=3|4]` through libnfs's tools: no mount, no kernel, nothing left
 * behind. Version 3 where the server has a portmapper, since it has no leases that expire while a slow consumer pauses;
 * otherwise version 4.
 * @throws FetchFault of the source; the signal's reason when aborted.
 */
export async function openNfs(url: string, options: NfsOptions): Promise<OpenedSource> {
  const { signal, stallTimeoutMs, offsetBytes = 0 } = options;
  const file = parseNfsUrl(url);
  const { address, version, entry } = await findServer(file, options);
  const totalBytes = entry?.kind === 'file' ? entry.sizeBytes : undefined;
  if (entry?.kind === 'directory') throw new FetchFault('SOURCE_NOT_FOUND', `${file.name} is a directory`);
  if (totalBytes !== undefined && totalBytes < offsetBytes) {
    throw new FetchFault(
      'LENGTH_TOO_SHORT',
      `${totalBytes} bytes, ${offsetBytes} of which were there before`,
    );
  }
  const reader = readNfsFile(nfsToolUrl(file, { address, version }), signal);
  // waits for the first byte, so that a file that cannot be read fails here and not in the middle of a transfer
  const peeked = await peekBody(guardedBody(reader, { stallTimeoutMs, signal }), 1);
  return {
    finalUrl: redactUrl(url),
    lengthBytes: totalBytes === undefined ? undefined : totalBytes - offsetBytes,
    totalBytes,
    target: undefined,
    ranged: false,
    validator: undefined,
    headers: {},
    warnings: [],
    body: checkedBody(peeked.chunks(), { totalBytes, offsetBytes, close: () => reader.destroy() }),
    close: () => reader.destroy(),
  };
}

interface FoundServer {
  readonly address: string;
  readonly version: NfsVersion;
  readonly entry: NfsEntry | undefined;
}

async function findServer(file: NfsFile, options: NfsOptions): Promise<FoundServer> {
  const addresses = makeAddressCheck(options.egress);
  const { signal, lookup } = options;
  // NFS's own port is refused to HTTP only
  const refusal =
    file.port === undefined || file.port === nfsPort ? undefined : addresses.portRefusal(file.port);
  if (refusal !== undefined) throw new FetchFault('EGRESS_REFUSED', refusal);
  const allowed = await allowedAddresses(file.host, { addresses, signal, ...(lookup ? { lookup } : {}) });
  let failure: unknown;
  for (const address of allowed.slice(0, 4)) {
    try {
      return await askServer(file, address, options);
    } catch (error) {
      signal.throwIfAborted();
      failure ??= error;
      // only an address where nobody is at home makes the next one worth trying
      if (!isUnreachable(error)) throw error;
    }
  }
  throw failure;
}

function isUnreachable(error: unknown): boolean {
  return (
    error instanceof FetchFault &&
    ['CONNECT_REFUSED', 'CONNECT_TIMEOUT', 'NETWORK_UNREACHABLE'].includes(error.code)
  );
}

async function askServer(file: NfsFile, address: string, options: NfsOptions): Promise<FoundServer> {
  const reachable = (port: number) => checkReachable({ address, port }, options);
  const [portmapper, service] = await Promise.allSettled([
    reachable(portmapperPort),
    reachable(file.port ?? nfsPort),
  ]);
  options.signal.throwIfAborted();
  const wanted = file.version ?? (portmapper.status === 'fulfilled' ? 3 : 4);
  // version 3 finds its services by the portmapper, version 4 has one port
  const needed = wanted === 3 && file.port === undefined ? portmapper : service;
  if (needed.status === 'rejected') throw needed.reason;
  try {
    return { address, version: wanted, entry: await listEntry(file, { address, version: wanted }, options) };
  } catch (error) {
    // a portmapper may be there for other services than NFS version 3
    const canBe4 = file.version === undefined && wanted === 3 && service.status === 'fulfilled';
    if (!canBe4 || !(error instanceof FetchFault) || error.code !== 'SOURCE_UNEXPECTED') throw error;
    return { address, version: 4, entry: await listEntry(file, { address, version: 4 }, options) };
  }
}

async function listEntry(
  file: NfsFile,
  server: { readonly address: string; readonly version: NfsVersion },
  options: NfsOptions,
): Promise<NfsEntry | undefined> {
  const patienceMs = options.connectTimeoutMs + options.stallTimeoutMs;
  const waiting = AbortSignal.timeout(patienceMs);
  try {
    return await findNfsEntry(
      nfsToolUrl(file, { ...server, directoryOnly: true }),
      file.name,
      AbortSignal.any([options.signal, waiting]),
    );
  } catch (error) {
    options.signal.throwIfAborted();
    if (waiting.aborted) throw new FetchFault('TRANSFER_STALLED', `no answer within ${patienceMs / 1000} s`);
    throw error;
  }
}

/** Drops what is before the offset, and makes sure that no file that shrank or grew while it was read passes for whole. */
async function* checkedBody(
  chunks: AsyncIterable<Buffer>,
  bounds: {
    readonly totalBytes: number | undefined;
    readonly offsetBytes: number;
    readonly close: () => void;
  },
): AsyncGenerator<Buffer, void, undefined> {
  const { totalBytes, offsetBytes } = bounds;
  let position = 0;
  try {
    for await (const chunk of chunks) {
      const wanted = position >= offsetBytes ? chunk : chunk.subarray(offsetBytes - position);
      position += chunk.length;
      if (totalBytes !== undefined && position > totalBytes) {
        throw new FetchFault('LENGTH_TOO_LONG', `more than the ${totalBytes} bytes it had before`);
      }
      if (wanted.length > 0) yield wanted;
    }
    if (position < (totalBytes ?? offsetBytes)) {
      throw new FetchFault('LENGTH_TOO_SHORT', `${position} bytes of ${totalBytes ?? offsetBytes}`);
    }
  } finally {
    bounds.close();
  }
}
