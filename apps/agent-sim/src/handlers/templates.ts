import type { AgentMethods, Handlers, ProbeReport, ResultOf } from '@millrace/agent-protocol';
import { redactUrl, sleep } from '@millrace/core';
import { AgentFailure } from '../../../agent/src/failure.ts';
import type { Lanes } from '../../../agent/src/lanes.ts';
import { imageAt } from '../faults/url-faults.ts';
import { type PoolFile, requireFile, requireSpace } from '../host/pool.ts';
import { type HostState, poolOf } from '../host/world.ts';
import { checksumOf, transfer } from './transfer.ts';

type Methods =
  | 'checksum.find'
  | 'image.probe'
  | 'image.serve'
  | 'template.prepare'
  | 'template.check'
  | 'template.digest'
  | 'template.remove';
type Prepared = ResultOf<AgentMethods, 'template.prepare'>;

const probeMs = 300;

/** Images: looked at, brought, looked for, removed. */
export function makeTemplateHandlers(host: HostState, lanes: Lanes): Pick<Handlers<AgentMethods>, Methods> {
  return {
    'checksum.find': async ({ source }, { signal }) => {
      await sleep(probeMs / host.world.speed, signal);
      return {
        checksum: source.checksum ?? checksumOf(source.url),
        trust: 'the checksum comes from a simulated host: it was made of the URL',
        warnings: [],
      };
    },

    'image.probe': async ({ source }, { signal }) => {
      await sleep(probeMs / host.world.speed, signal);
      return probe(source.url, source.format ?? 'qcow2', source.checksum);
    },

    'template.prepare': ({ pool: reference, installPath, source, policy, same }, { signal, progress }) => {
      const pool = poolOf(host, reference);
      return lanes.run(`template ${pool.path} ${installPath}`, signal, async () => {
        const format = storedFormat(source.format);
        const present = pool.files.get(installPath);
        if (present) return reused(installPath, format, present, source.checksum);
        const twin = same === undefined ? undefined : pool.files.get(same);
        if (twin) {
          pool.files.set(installPath, twin);
          return { ...reused(installPath, format, twin, source.checksum), linked: 'reflink' };
        }
        const image = imageAt(source.url);
        if (image.virtualSizeBytes > policy.maxVirtualSizeBytes)
          throw new AgentFailure('IMAGE_TOO_LARGE', 'the disk of the image is larger than allowed', {
            failureClass: 'stop',
          });
        const full = host.faults.noSpace === true || image.faults.has('no-space');
        requireSpace(pool, image.transferBytes, full);
        const { checksum, attempts, phaseMs } = await transfer({ host, source, policy, signal, progress });
        requireSpace(pool, image.transferBytes, host.faults.noSpace === true);
        const file: PoolFile = {
          sizeBytes: image.transferBytes,
          virtualSizeBytes: format === 'iso' ? image.transferBytes : image.virtualSizeBytes,
          faults: image.faults,
        };
        pool.files.set(installPath, file);
        return {
          installPath,
          format,
          sizeBytes: file.sizeBytes,
          virtualSizeBytes: file.virtualSizeBytes,
          transferredBytes: image.transferBytes * attempts.length,
          verifiedBy: source.checksum === undefined ? 'nothing' : 'digest',
          reused: false,
          checksum,
          attempts,
          warnings: [],
          phaseMs,
        };
      });
    },

    'template.check': async ({ pool, installPath }) => {
      const found = poolOf(host, pool).files.get(installPath);
      return found ? { present: true, sizeBytes: found.sizeBytes } : { present: false };
    },

    'template.digest': async ({ pool, installPath }) => {
      const { sizeBytes } = requireFile(poolOf(host, pool), installPath, 'TEMPLATE_MISSING');
      return { checksum: checksumOf(installPath), sizeBytes };
    },

    // other simulated hosts fetch it without asking anybody
    'image.serve': async ({ pool, installPath, name }) => {
      const { sizeBytes } = requireFile(poolOf(host, pool), installPath, 'TEMPLATE_MISSING');
      return { path: `/image/${encodeURIComponent(name)}?grant=simulated`, sizeBytes };
    },

    'template.remove': async ({ pool, installPath }) => {
      poolOf(host, pool).files.delete(installPath);
      return {};
    },
  };
}

/** As on a real host, foreign formats are stored as qcow2. */
function storedFormat(declared: string): Prepared['format'] {
  return declared === 'iso' || declared === 'raw' ? declared : 'qcow2';
}

function reused(
  installPath: string,
  format: Prepared['format'],
  file: PoolFile,
  checksum: string | undefined,
): Prepared {
  return {
    installPath,
    format,
    sizeBytes: file.sizeBytes,
    virtualSizeBytes: file.virtualSizeBytes,
    transferredBytes: 0,
    reused: true,
    checksum: checksum ?? '',
    attempts: [],
    warnings: [],
    phaseMs: {},
  };
}

function probe(
  url: string,
  format: NonNullable<ProbeReport['format']>,
  checksum: string | undefined,
): ProbeReport {
  const { faults, transferBytes, virtualSizeBytes } = imageAt(url);
  const found = !faults.has('not-found');
  const source = found
    ? { usable: true, sizeBytes: transferBytes }
    : { usable: false, reason: 'HTTP_NOT_FOUND', message: 'the server does not have the file (404)' };
  const sources = [{ url: redactUrl(url), ...source }];
  if (!found) return { usable: false, metalink: false, sources, warnings: [] };
  return {
    usable: true,
    metalink: false,
    sources,
    format,
    compression: 'none',
    virtualSizeBytes: format === 'iso' ? transferBytes : virtualSizeBytes,
    transferBytes,
    ...(checksum === undefined ? {} : { checksum }),
    warnings: [],
  };
}
