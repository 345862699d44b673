import { chmod } from 'node:fs/promises';
import type { AgentMethods, ParamsOf, PoolReference, ResultOf } from '@millrace/agent-protocol';
import { describeError, formatChecksum, type Logger, redactUrl } from '@millrace/core';
import type { FetchedImage } from '@millrace/image';
import type { Lanes } from '../lanes.ts';
import { diskInfo } from '../qemu-img/qemu-img.ts';
import { type ImageEngine, imageRequestOf, storedFormatOf } from '../storage/image-engine.ts';
import { linkImage } from '../storage/link-image.ts';
import { pathInPool, poolReserve, removeFile, requirePool, statOrUndefined } from '../storage/pool.ts';
import type { Transfers } from '../storage/transfers.ts';
import type { Handler } from './handler.ts';

type Params = ParamsOf<AgentMethods, 'template.prepare'>;
type Result = ResultOf<AgentMethods, 'template.prepare'>;

/** What an interrupted transfer left is gone on with for so long; then nobody wants that image any more. */
export const keepResumableMs = 24 * 3600 * 1000;

/**
 * On a pool that other hosts write to, a partial image is theirs, and alive, as long as anything was written to it so
 * recently: no transfer is silent for longer.
 */
export const othersQuietMs = 3600_000;

/** Readable by every VM's QEMU, whichever user it runs as, and writable by none. */
const templateMode = 0o644;

/**
 * Puts a template on a pool. A file under the final name is whole (nothing else is ever given that name), so it is
 * reused without moving a byte; otherwise the image engine fetches it. One transfer per file at any time: a second
 * request waits and then finds the file.
 */
export function makeTemplatePrepare(deps: {
  readonly engine: () => Promise<ImageEngine>;
  readonly transfers: () => Promise<Transfers>;
  readonly lanes: Lanes;
  readonly log: Logger;
}): Handler<'template.prepare'> {
  const cleanings = new Map<string, Promise<unknown>>();

  /** What a killed agent left is removed once, before this process itself begins to write into that pool. */
  const cleanOnce = (engine: ImageEngine, { type, path: directory }: PoolReference) => {
    const known = cleanings.get(directory);
    if (known) return known;
    // also when it fails: by the next time a transfer of this process may be writing there
    const cleaning = engine
      .removeStalePartials(directory, { keepResumableMs, quietMs: type === 'Filesystem' ? 0 : othersQuietMs })
      .catch((error: unknown) => {
        deps.log.warn({ directory, reason: describeError(error) }, 'partial files could not be removed');
      });
    cleanings.set(directory, cleaning);
    return cleaning;
  };

  return (params, { id, signal, progress }) => {
    const { pool, installPath, source } = params;
    const path = pathInPool(pool, installPath);
    return deps.lanes.run(templateLane(path), signal, async () => {
      await requirePool(pool);
      const log = deps.log.child({ operation: id, template: installPath });
      const present = await reuse(path, params, { log, signal });
      if (present) return present;
      const linked = await link(path, params, { log, signal });
      if (linked) return linked;

      const request = imageRequestOf(params);
      const engine = await deps.engine();
      await cleanOnce(engine, pool);
      log.info({ url: redactUrl(source.url), pool: pool.path }, 'transfer begins');
      const transfers = await deps.transfers();
      using grant = transfers.begin(params.policy, params.priority ?? 'deployment');
      const sink = engine.directorySink({
        directory: pool.path,
        fileName: installPath,
        mode: templateMode,
        reserve: poolReserve,
        ledger: transfers.ledger,
      });
      const image = await engine.fetchImage(request, sink, {
        ...grant.options,
        signal,
        log,
        onProgress: (value) => progress({ ...value, attempts: [...value.attempts] }),
      });
      return fetchedResult(installPath, image);
    });
  };
}

/** What the engine says of an image that it has put on a pool. */
export function fetchedResult(installPath: string, image: FetchedImage): Result {
  return {
    installPath,
    format: image.format,
    sizeBytes: image.sizeBytes,
    virtualSizeBytes: image.virtualSizeBytes,
    transferredBytes: image.transferredBytes,
    ...(image.resumedBytes ? { resumedBytes: image.resumedBytes } : {}),
    ...(image.verifiedBy ? { verifiedBy: image.verifiedBy } : {}),
    ...(image.convertedFrom ? { convertedFrom: image.convertedFrom } : {}),
    reused: false,
    checksum: formatChecksum(image.digest),
    attempts: [...image.attempts],
    warnings: [...image.warnings],
    phaseMs: roundAll(image.phaseMs),
  };
}

/** Lane key: everything that makes or removes one template's file happens one at a time. */
export function templateLane(path: string): string {
  return `template ${path}`;
}

async function reuse(
  path: string,
  { installPath, source }: Params,
  { log, signal }: { log: Logger; signal: AbortSignal },
): Promise<Result | undefined> {
  const found = await statOrUndefined(path);
  if (!found?.isFile() || found.size === 0) return undefined;
  let virtualSizeBytes = found.size;
  if (storedFormatOf(source.format) === 'qcow2') {
    try {
      virtualSizeBytes = (await diskInfo(path, 'qcow2', signal)).virtualSizeBytes;
    } catch (error) {
      signal.throwIfAborted();
      // damaged from outside: no new VM could use it, and running ones keep the old file open when it is replaced
      log.warn(
        { path, reason: describeError(error) },
        'the template on the pool is unreadable: fetched again',
      );
      return undefined;
    }
  }
  if ((found.mode & 0o777) !== templateMode) await chmod(path, templateMode);
  return {
    installPath,
    // foreign formats are stored as qcow2
    format: storedFormatOf(source.format),
    sizeBytes: found.size,
    virtualSizeBytes,
    transferredBytes: 0,
    reused: true,
    // nothing was transferred, so nothing was digested: what was asked for is what the file was once committed with
    checksum: source.checksum ?? '',
    attempts: [],
    warnings: [],
    phaseMs: {},
  };
}

/** Another template's file with the same bytes is this one's, too. Where that cannot be done the image is fetched. */
async function link(
  path: string,
  params: Params,
  { log, signal }: { log: Logger; signal: AbortSignal },
): Promise<Result | undefined> {
  if (params.same === undefined) return undefined;
  try {
    const linked = await linkImage(pathInPool(params.pool, params.same), path, templateMode);
    const result = await reuse(path, params, { log, signal });
    if (result) {
      log.info({ same: params.same, linked }, 'the image was on the pool under another name');
      return { ...result, linked };
    }
    // unreadable, as the other one is
    await removeFile(path);
  } catch (error) {
    signal.throwIfAborted();
    log.warn({ same: params.same, reason: describeError(error) }, 'the same image cannot be linked: fetched');
  }
  return undefined;
}

/** Durations travel as whole milliseconds. */
function roundAll(durations: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(durations).map(([name, value]) => [name, Math.round(value)]));
}
