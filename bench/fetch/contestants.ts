import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { partFlags } from '../../apps/standalone/src/compile-cache.ts';
import type { Artefact } from './image/artefacts.ts';
import type { StandCommand } from './measure/stand.ts';
import type { LimitedMirror } from './serve/limited-mirror.ts';

/** Who takes part: how each is started, and what it is told. All but the bounds leave a durable image in the pool. */

export interface Contestant {
  readonly name: string;
  readonly kind: 'millrace' | 'cloudstack' | 'peer' | 'bound';
  /** Whether it checks the digest. One that does not is shown, and no target is held against it. */
  readonly verifies: boolean;
  /** Programs it needs; without one of them it does not take part. */
  readonly programs: readonly string[];
  readonly command: StandCommand;
  /** What it is told in each round. */
  readonly line: string;
  /** A process that lives long where it comes from: it stays for all rounds, and is told this first, which is not counted. */
  readonly warmUpLine?: string;
  /** It is killed when the mirror has sent so much of the image, and measured when it does the same again. */
  readonly killedAt?: { readonly mirror: LimitedMirror; readonly bytes: number };
}

/** What is the same for all contestants. */
export interface Kit {
  readonly node: string;
  /** Scratch of the benchmark. No spaces: lines are split at them. */
  readonly work: string;
  readonly pool: string;
  /** `undefined` when there is no Java compiler: then there is no CloudStack either. */
  readonly classPath: string | undefined;
  /** What long-lived processes fetch before they are measured. */
  readonly warmUp: Task;
}

export interface Task {
  readonly url: string;
  readonly artefact: Artefact;
  /** What the pool stores of it. */
  readonly store: 'qcow2' | 'raw';
  /** The source has the digest itself. */
  readonly isMetalink?: boolean;
}

/** Name of the image in the pool. */
export const imageName = 'disk';

const peers = fileURLToPath(new URL('peers', import.meta.url));
const launcher = fileURLToPath(new URL('../../bin/millrace', import.meta.url));

function script(kit: Kit, name: string, ...argv: readonly string[]): StandCommand {
  return inShell(kit, 'sh', join(peers, name), ...argv);
}

function inShell(kit: Kit, ...argv: readonly string[]): StandCommand {
  return { file: 'sh', argv: [join(peers, 'stand.sh'), ...argv], directory: kit.work };
}

const targetIn = (kit: Kit) => join(kit.pool, imageName);

export function millraceAgent(kit: Kit, task: Task, name = 'Millrace, agent'): Contestant {
  const lineOf = ({ url, artefact, store, isMetalink }: Task) =>
    [url, isMetalink ? '-' : artefact.sha256, kit.pool, imageName, store].join(' ');
  // as an agent is started where Millrace runs
  const argv = [...partFlags, join(peers, 'millrace-agent.ts')];
  const command = { file: kit.node, argv, directory: kit.work };
  const line = lineOf(task);
  const warmUpLine = lineOf(kit.warmUp);
  return { name, kind: 'millrace', verifies: true, programs: [], command, line, warmUpLine };
}

export function millraceCommand(kit: Kit, task: Task, name = 'Millrace, command'): Contestant {
  const { url, artefact, store, isMetalink } = task;
  const checksum = isMetalink ? [] : ['--checksum', `{SHA-256}${artefact.sha256}`];
  const storeFormat = store === 'raw' ? ['--store-format', 'raw'] : [];
  const argv = ['fetch', url, '--to', kit.pool, '--name', imageName, ...checksum, ...storeFormat, '--quiet'];
  return {
    name,
    kind: 'millrace',
    verifies: true,
    programs: [],
    command: inShell(kit, launcher, ...argv),
    line: 'go',
  };
}

/** @param unpacker what CloudStack uses for this format, or is lent */
export function cloudStack(kit: Kit, task: Task, unpacker: readonly string[] = []): Contestant {
  const lineOf = ({ url, artefact, store }: Task, ...command: readonly string[]) =>
    [url, artefact.sha256, kit.pool, targetIn(kit), store, ...command].join(' ');
  return {
    name: 'CloudStack',
    kind: 'cloudstack',
    verifies: true,
    programs:
      kit.classPath === undefined
        ? ['javac with libcommons-httpclient-java']
        : ['java', ...unpacker.slice(0, 1)],
    command: {
      file: 'java',
      argv: ['-cp', kit.classPath ?? '', 'CloudStackFlow'],
      directory: kit.work,
    },
    line: lineOf(task, ...unpacker),
    warmUpLine: lineOf(kit.warmUp),
  };
}

const curlScripts = {
  'curl, then the sum': 'curl-then-sum.sh',
  'curl | tee': 'curl-tee.sh',
  'curl | tee, direct I/O': 'curl-direct.sh',
} as const;

export function curlPipeline(
  kit: Kit,
  task: Task,
  style: keyof typeof curlScripts,
  unpacker: readonly string[] = [],
): Contestant {
  const { url, artefact, store } = task;
  return {
    name: withUnpacker(style, unpacker),
    kind: 'peer',
    verifies: true,
    programs: ['curl', 'openssl', ...unpacker.slice(0, 1), ...converter(task)],
    command: script(kit, curlScripts[style], url, artefact.sha256, targetIn(kit), store, ...unpacker),
    line: 'go',
  };
}

/** Of a task whose URL is a metalink's. */
export function aria2(
  kit: Kit,
  task: Task,
  unpacker: readonly string[] = [],
  name = withUnpacker('aria2c', unpacker),
): Contestant {
  return {
    name,
    kind: 'peer',
    verifies: true,
    programs: ['aria2c', 'curl', ...unpacker.slice(0, 1), ...converter(task)],
    command: script(kit, 'aria2.sh', task.url, targetIn(kit), task.store, ...unpacker),
    line: 'go',
  };
}

export function nbdkit(kit: Kit, task: Task, filter?: 'gzip' | 'xz'): Contestant {
  const argv = [task.url, targetIn(kit), task.store, ...(filter === undefined ? [] : [filter])];
  return {
    name: 'nbdkit + qemu-img (unverified)',
    kind: 'peer',
    verifies: false,
    programs: ['nbdkit', 'qemu-img'],
    command: script(kit, 'nbdkit.sh', ...argv),
    line: 'go',
  };
}

export function networkBound(kit: Kit, task: Task): Contestant {
  return bound('network alone', ['curl'], script(kit, 'bound.sh', 'network', task.url));
}

/** @param stored what is written: its bytes without zeros count */
export function diskBound(kit: Kit, stored: Artefact): Contestant {
  const argv = ['disk', stored.path, String(stored.dataBytes), targetIn(kit)];
  return bound('disk alone', ['dd'], script(kit, 'bound.sh', ...argv));
}

export function hashBound(kit: Kit, task: Task): Contestant {
  const argv = [join(peers, 'sha256-bound.ts'), task.artefact.path];
  return bound('SHA-256 on one core', [], { file: kit.node, argv, directory: kit.work });
}

export function unpackBound(kit: Kit, task: Task, unpacker: readonly string[]): Contestant {
  const argv = ['unpack', task.artefact.path, ...unpacker];
  return bound(`${unpacker.join(' ')} alone`, unpacker.slice(0, 1), script(kit, 'bound.sh', ...argv));
}

function bound(name: string, programs: readonly string[], command: StandCommand): Contestant {
  return { name, kind: 'bound', verifies: false, programs, command, line: 'go' };
}

function withUnpacker(name: string, unpacker: readonly string[]): string {
  return unpacker.length === 0 ? name : `${name} | ${unpacker[0]}`;
}

function converter(task: Task): readonly string[] {
  return task.store === 'raw' ? ['qemu-img'] : [];
}
