import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type CommandResult, runProgram, sleep, spawnProgram } from '@millrace/core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const switchName = 'lab0';
const { signal } = new AbortController();
const run = (file: string, ...argv: string[]) =>
  runProgram(file, argv, { signal: AbortSignal.timeout(30_000) });

/** Where hosts find whoever made the lab. */
export const labAddress = '10.99.0.254';

/** A KVM host of its own: processes, mounts, network card and libvirt. Its files are the real machine's but where noted. */
export interface LabHost {
  readonly name: string;
  readonly address: string;
  /** A directory of its own, which guests may reach. */
  readonly directory: string;
  /** Runs a program in it, to its end. */
  run(file: string, argv: readonly string[], env?: Readonly<Record<string, string>>): Promise<CommandResult>;
  /** Starts a program in it. */
  spawn(file: string, argv: readonly string[], env?: Readonly<Record<string, string>>): ChildProcess;
  /** As if the plug was pulled: everything in it is gone at once. */
  crash(): Promise<void>;
  /** Nothing gets in or out. */
  cut(): Promise<void>;
  mend(): Promise<void>;
}

/** Joins the lab's hosts to each other and to this machine. Must be called in a machine for tests. */
export async function makeSwitch(): Promise<void> {
  await run('ip', 'link', 'add', switchName, 'type', 'bridge');
  await run('ip', 'address', 'add', `${labAddress}/24`, 'dev', switchName);
  await run('ip', 'link', 'set', switchName, 'up');
}

export async function removeSwitch(): Promise<void> {
  await run('ip', 'link', 'del', switchName);
}

/** Starts a host with the address 10.99.0.`number`. */
export async function startLabHost(name: string, number: number): Promise<LabHost> {
  const address = `10.99.0.${number}`;
  const card = `lab-${number}`;
  const child = spawnProgram(
    'sh',
    [`${root}test/machine/run-in-machine.sh`, 'sh', `${root}test/lab/host.sh`, name, address],
    { signal, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ready = Promise.withResolvers<string>();
  child.once('exit', (code) => ready.reject(new Error(`the lab host ${name} ended with ${code}`)));
  void (async () => {
    for await (const line of createInterface({ input: child.stdout! }))
      if (line.startsWith('READY ')) ready.resolve(line.slice('READY '.length));
  })();
  const pid = await firstProcessOf(child.pid!);
  await run('ip', 'link', 'add', card, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid));
  await run('ip', 'link', 'set', card, 'master', switchName, 'up');
  const directory = await ready.promise;
  const enter = (file: string, argv: readonly string[]) =>
    ['nsenter', ['-t', String(pid), '-m', '-p', '-u', '-i', '-n', '--', file, ...argv]] as const;
  return {
    name,
    address,
    directory,
    run(file, argv, env = {}) {
      return runProgram(...enter(file, argv), { signal: AbortSignal.timeout(60_000), env });
    },
    spawn(file, argv, env = {}) {
      return spawnProgram(...enter(file, argv), { signal, stdio: ['ignore', 'pipe', 'inherit'], env });
    },
    async crash() {
      const ended = once(child, 'exit');
      process.kill(pid, 'SIGKILL');
      await ended;
    },
    cut: async () => void (await run('ip', 'link', 'set', card, 'down')),
    mend: async () => void (await run('ip', 'link', 'set', card, 'up')),
  };
}

/** The first process of the host's namespaces: the only child of the `unshare` that run-in-machine.sh became. */
async function firstProcessOf(pid: number): Promise<number> {
  for (let tries = 0; tries < 200; tries++) {
    const [child] = await childrenOf(pid);
    const network = child === undefined ? '' : await networkOf(child);
    // one that has just ended has none
    if (child !== undefined && network !== '' && network !== (await networkOf(process.pid))) return child;
    await sleep(20, signal);
  }
  throw new Error('the lab host did not start');
}

async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const parents = await Promise.all(
    pids.map(async (pid) => {
      const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
    }),
  );
  return pids.map(Number).filter((_, index) => parents[index] === parent);
}

async function networkOf(pid: number): Promise<string> {
  return readlink(`/proc/${pid}/ns/net`).catch(() => '');
}
