import type { AgentMethods, Handlers } from '@millrace/agent-protocol';
import { fail } from '../../../agent/src/failure.ts';
import { requireFile, requireSpace } from '../host/pool.ts';
import { type HostState, poolOf, stateOf } from '../host/world.ts';

type Methods = 'volume.create' | 'volume.attach' | 'volume.detach' | 'volume.resize' | 'volume.remove';

/** What an overlay takes before anything was written to it. */
const emptyOverlayBytes = 196_608;

/** Disks: made, plugged in, made larger, removed. */
export function makeVolumeHandlers(host: HostState): Pick<Handlers<AgentMethods>, Methods> {
  return {
    'volume.create': async ({ pool: reference, path, backing, sizeBytes, replace }) => {
      const pool = poolOf(host, reference);
      const present = pool.files.get(path);
      if (present && !replace)
        return {
          path,
          virtualSizeBytes: present.virtualSizeBytes,
          physicalSizeBytes: present.sizeBytes,
        };
      const base = backing && requireFile(pool, backing.installPath, 'TEMPLATE_MISSING');
      if (!base && !sizeBytes) fail('VOLUME_SIZE_MISSING', 'an empty disk needs a size');
      requireSpace(pool, emptyOverlayBytes, host.faults.noSpace === true);
      const virtualSizeBytes = Math.max(sizeBytes ?? 0, base?.virtualSizeBytes ?? 0);
      pool.files.set(path, {
        sizeBytes: emptyOverlayBytes,
        virtualSizeBytes,
        ...(backing ? { backing: backing.installPath } : {}),
        faults: base?.faults ?? new Set(),
      });
      return { path, virtualSizeBytes, physicalSizeBytes: emptyOverlayBytes };
    },

    'volume.attach': async ({ vm, pool, disk }) => {
      const state = stateOf(host, vm);
      if (state === 'Running') requireFile(poolOf(host, pool), disk.path, 'VOLUME_MISSING');
      return { state };
    },

    'volume.detach': async ({ vm }) => ({ state: stateOf(host, vm) }),

    'volume.resize': async ({ pool: reference, path, sizeBytes }) => {
      const pool = poolOf(host, reference);
      const disk = requireFile(pool, path, 'VOLUME_MISSING');
      const virtualSizeBytes = Math.max(disk.virtualSizeBytes, sizeBytes);
      pool.files.set(path, { ...disk, virtualSizeBytes });
      return { virtualSizeBytes };
    },

    'volume.remove': async ({ pool, path }) => {
      poolOf(host, pool).files.delete(path);
      return {};
    },
  };
}
