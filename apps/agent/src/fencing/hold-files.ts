import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { poolReference } from '@millrace/agent-protocol';
import { z } from 'zod';

const holdSchema = z.object({
  vmUuid: z.uuid(),
  // both become words of the guard's line and parts of paths
  instanceName: z.string().regex(/^[A-Za-z0-9-]{1,60}$/),
  // of an RBD pool with its key: the directory is root's alone and in memory, and libvirt tells the key to nobody
  pool: z.object({ uuid: z.uuid(), path: z.string().min(1), rbd: poolReference.shape.rbd }),
  leaseSeconds: z.number().int().positive(),
});

/** An instance that may run here only while this host proves that it is alive. */
export type Hold = Readonly<z.infer<typeof holdSchema>>;

/** The holds of this host as files, which outlive the agent and end with the machine. */
export interface HoldFiles {
  load(): Promise<{ readonly hold: Hold; readonly until: number }[]>;
  store(hold: Hold, until: number): Promise<void>;
  /** `until`: the second of the machine's life after which the guard ends the instance. */
  extend(hold: Hold, until: number): Promise<void>;
  remove(vmUuid: string): Promise<void>;
}

export function makeHoldFiles(directory: string): HoldFiles {
  const recordPath = (uuid: string) => join(directory, `${uuid}.json`);
  const guardPath = (uuid: string) => join(directory, `${uuid}.hold`);
  const replace = async (path: string, text: string) => {
    await writeFile(`${path}.new`, text, { mode: 0o600 });
    await rename(`${path}.new`, path);
  };
  const extend = (hold: Hold, until: number) =>
    replace(guardPath(hold.vmUuid), `${Math.floor(until)} ${hold.instanceName} ${hold.vmUuid}\n`);
  return {
    async load() {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const found: { hold: Hold; until: number }[] = [];
      for (const name of await readdir(directory)) {
        if (!name.endsWith('.json')) continue;
        const record = holdSchema.safeParse(JSON.parse(await readFile(join(directory, name), 'utf8')));
        // one that is not understood is extended no more: its instance ends, and may start elsewhere
        if (!record.success) continue;
        const hold = record.data;
        const line = await readFile(guardPath(hold.vmUuid), 'utf8').catch(() => '');
        found.push({ hold, until: Number.parseInt(line, 10) || 0 });
      }
      return found;
    },
    async store(hold, until) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      // the record first: a hold that only the guard knows would be extended by nobody
      await replace(recordPath(hold.vmUuid), JSON.stringify(hold));
      await extend(hold, until);
    },
    extend,
    async remove(vmUuid) {
      await rm(guardPath(vmUuid), { force: true });
      await rm(recordPath(vmUuid), { force: true });
    },
  };
}
