import assert from 'node:assert/strict';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '@millrace/core';
import type { JobAnswer } from '../e2e/instance.ts';
import type { LabHost } from '../lab/lab-host.ts';
import { assertMirrorBlamed } from './mirror-blamed.ts';
import type { Underway } from './moments.ts';
import { mirrors, type World } from './world.ts';

/** Something fails. @returns what makes it well again */
type Strike = (world: World, underway: Underway) => Promise<() => Promise<void>>;

export interface Actor {
  /** What has to be there before anything is under way. @returns what takes it away again */
  readonly prepare?: (world: World) => Promise<() => Promise<void>>;
  readonly strike: Strike;
  /** How long it lasts: milliseconds, or until what is under way has ended. */
  readonly lasts: number | 'to the end';
  /** What has to be so at the end besides what always has to be. */
  readonly check?: (world: World, job: JobAnswer) => Promise<void>;
}

const nothing = async () => {};
const run = (file: string, ...argv: string[]) =>
  runProgram(file, argv, { signal: AbortSignal.timeout(20_000) });

function hostOf(world: World, { host }: Underway): LabHost {
  const found = world.hostNamed(host);
  if (!found) throw new Error(`the host ${host} is gone already`);
  return found;
}

function killed(part: 'server' | 'postgres'): Actor {
  return {
    lasts: 0,
    strike: async ({ cloud }) => {
      process.kill(await cloud.instance.pidOf(part), 'SIGKILL');
      return nothing;
    },
  };
}

const cardOf = (host: LabHost) => `lab-${host.address.split('.').at(-1)}`;

export const actors = {
  server: killed('server'),
  PostgreSQL: killed('postgres'),
  /** One server after the other ends as it is asked to and comes back, while the other one goes on. */
  'rolling restart': {
    lasts: 'to the end',
    prepare: async (world) => {
      await world.startSecondServer();
      return () => world.stopSecondServer();
    },
    strike: async (world) => {
      const restarted = (async () => {
        await world.restartFirstServer();
        await world.stopSecondServer();
      })();
      // whoever makes it well again hears of it
      restarted.catch(() => {});
      return () => restarted;
    },
  },
  agent: {
    lasts: 500,
    strike: async (world, underway) => {
      const host = hostOf(world, underway);
      await host.run('pkill', ['-9', '-f', 'apps/agent/src/main.ts']);
      return async () => world.cloud.startAgent(host);
    },
  },
  libvirtd: {
    lasts: 500,
    strike: async (world, underway) => {
      const host = hostOf(world, underway);
      await host.run('pkill', ['-9', 'libvirtd']);
      return async () => void (await host.run('libvirtd', ['-d']));
    },
  },
  QEMU: {
    lasts: 0,
    strike: async (world, underway) => {
      const host = hostOf(world, underway);
      // it may just have ended, or not begun
      await host.run('pkill', ['-9', '-f', `guest=${underway.instanceName ?? 'i-'}`]).catch(() => {});
      return nothing;
    },
  },
  'host power': {
    lasts: 'to the end',
    strike: async (world, underway) => {
      await world.cloud.lose(hostOf(world, underway));
      return () => world.replaceHost();
    },
  },
  'network cut': {
    lasts: 2000,
    strike: async (world, underway) => {
      const host = hostOf(world, underway);
      await host.cut();
      return () => host.mend();
    },
  },
  'network slow': {
    lasts: 'to the end',
    strike: async (world, underway) => {
      const card = cardOf(hostOf(world, underway));
      await run(
        'tc',
        'qdisc',
        'add',
        'dev',
        card,
        'root',
        'tbf',
        'rate',
        '80mbit',
        'burst',
        '64k',
        'latency',
        '200ms',
      );
      return async () => void (await run('tc', 'qdisc', 'del', 'dev', card, 'root'));
    },
  },
  source: {
    lasts: 'to the end',
    strike: async ({ web }) => {
      web.down();
      return async () => web.up();
    },
  },
  /** The source is gone for a moment only. */
  'source for a moment': {
    lasts: 1000,
    strike: async ({ web }) => {
      web.down();
      return async () => web.up();
    },
  },
  /** One of two mirrors is gone, and connections to it end. */
  mirror: {
    lasts: 'to the end',
    strike: async ({ web }) => {
      web.lose(mirrors.first);
      return async () => web.up();
    },
    check: assertMirrorBlamed,
  },
  /** One of two mirrors is cut off: connections to it stay, and nothing comes. */
  'mirror cut off': {
    lasts: 'to the end',
    strike: async ({ web }) => {
      web.silence(mirrors.first);
      return async () => web.up();
    },
    check: assertMirrorBlamed,
  },
  DNS: {
    lasts: 'to the end',
    strike: async ({ cloud, sourceName }) => {
      const hosts = [...cloud.hosts];
      for (const host of hosts)
        await host.run('sh', [
          '-c',
          `grep -v ${sourceName} /etc/hosts >/run/hosts; cat /run/hosts >/etc/hosts`,
        ]);
      return async () => {
        for (const host of hosts)
          await host.run('sh', ['-c', `echo "10.99.0.254 ${sourceName}" >>/etc/hosts`]);
      };
    },
  },
  'pool full': {
    lasts: 'to the end',
    strike: async ({ cloud }) => {
      const filler = join(cloud.work, 'shared', 'filler');
      // to the last block, whoever writes meanwhile; then room for the small files of those who clear up
      await assert.rejects(run('dd', 'if=/dev/zero', `of=${filler}`, 'bs=1M'), /No space left/);
      await run('truncate', '-s', '-64K', filler);
      return () => rm(filler, { force: true });
    },
  },
  'pool gone': {
    lasts: 'to the end',
    strike: async ({ cloud }) => {
      const mark = join(cloud.shared, '.millrace-pool');
      await rename(mark, `${mark}.away`);
      return () => rename(`${mark}.away`, mark);
    },
  },
  'clock jump': {
    lasts: 0,
    strike: async (world, underway) => {
      await hostOf(world, underway).run('pkill', ['-USR2', '-f', 'apps/agent/src/main.ts']);
      return nothing;
    },
  },
} as const satisfies Record<string, Actor>;

export type ActorName = keyof typeof actors;
