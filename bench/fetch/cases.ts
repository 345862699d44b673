import {
  aria2,
  type Contestant,
  cloudStack,
  curlPipeline,
  diskBound,
  hashBound,
  type Kit,
  millraceAgent,
  millraceCommand,
  nbdkit,
  networkBound,
  type Task,
  unpackBound,
} from './contestants.ts';
import type { Ground } from './ground.ts';
import type { ArtefactName } from './image/artefacts.ts';
import type { BoundRule } from './report/judge.ts';
import type { Target } from './report/results.ts';

/** The cases of the table in README.md, each with who takes part and what is to be reached. */

export interface Case {
  readonly name: string;
  readonly title: string;
  /** What is fetched: it is in the page cache before every run. */
  readonly fetched: ArtefactName;
  /** What the image in the pool has to be. */
  readonly stored: ArtefactName;
  readonly contestants: readonly Contestant[];
  readonly bound: BoundRule;
  readonly targets: readonly Target[];
}

const overCloudStack = (factor: number): Target => ({
  text: `≥ ${factor}×`,
  column: 'cloudstack',
  of: 'cloudstack',
  to: 'millrace',
  atLeast: factor,
});
const overPeers = (factor: number): Target => ({
  text: `≥ ${factor.toFixed(1)}×`,
  column: 'peer',
  of: 'peer',
  to: 'millrace',
  atLeast: factor,
});
const overBound = (factor: number, text = `≤ ${factor}×`): Target => ({
  text,
  column: 'bound',
  of: 'millrace',
  to: 'bound',
  atMost: factor,
});

/** @param kit and @param ground are the same for all cases of a run */
export async function makeCases(kit: Kit, ground: Ground): Promise<readonly Case[]> {
  return [
    await plainCase(kit, ground, {
      name: 'qcow2',
      title: 'qcow2, one fast mirror, sha256',
      fetched: 'image.qcow2',
      targets: [overCloudStack(3.5), overPeers(2.8), overBound(1.2)],
    }),
    await plainCase(kit, ground, {
      name: 'raw',
      title: 'raw with zeros',
      fetched: 'image.raw',
      targets: [overCloudStack(3.7), overPeers(3), overBound(1.2)],
    }),
    await piecesCase(kit, ground, 'image.qcow2'),
    await piecesCase(kit, ground, 'image.raw'),
    ...(await packedCases(kit, ground)),
    await rawPoolCase(kit, ground),
    await limitedCase(kit, ground),
    await faultyCase(kit, ground),
    killedCase(kit, ground),
    smallCase(kit, ground),
  ];
}

interface PlainCase {
  readonly name: string;
  readonly title: string;
  readonly fetched: ArtefactName;
  readonly targets: readonly Target[];
}

async function plainCase(kit: Kit, ground: Ground, facts: PlainCase): Promise<Case> {
  const artefact = ground.artefacts[facts.fetched];
  const task: Task = { url: ground.urlOf(facts.fetched), artefact, store: 'qcow2' };
  const metalink = await ground.metalinkTask(artefact, { mirrors: ['clean'], pieces: false });
  return {
    ...facts,
    stored: facts.fetched,
    bound: 'slowest',
    contestants: [
      millraceAgent(kit, task),
      millraceCommand(kit, task),
      cloudStack(kit, task),
      curlPipeline(kit, task, 'curl, then the sum'),
      curlPipeline(kit, task, 'curl | tee'),
      curlPipeline(kit, task, 'curl | tee, direct I/O'),
      aria2(kit, metalink),
      nbdkit(kit, task),
      hashBound(kit, task),
      networkBound(kit, task),
      diskBound(kit, artefact),
    ],
  };
}

async function piecesCase(kit: Kit, ground: Ground, fetched: 'image.qcow2' | 'image.raw'): Promise<Case> {
  const artefact = ground.artefacts[fetched];
  const metalink = await ground.metalinkTask(artefact, { mirrors: ['clean'], pieces: true });
  const task: Task = { url: ground.urlOf(fetched), artefact, store: 'qcow2' };
  const format = fetched === 'image.raw' ? 'raw' : 'qcow2';
  return {
    name: `${format}-pieces`,
    title: `${format}, one fast mirror, piece digests`,
    fetched,
    stored: fetched,
    bound: 'slowest',
    targets: [overCloudStack(5), overBound(1, 'below one core’s SHA-256')],
    contestants: [
      millraceAgent(kit, metalink),
      millraceCommand(kit, metalink),
      cloudStack(kit, task),
      aria2(kit, metalink),
      hashBound(kit, task),
    ],
  };
}

interface Packing {
  readonly suffix: 'gz' | 'zst' | 'xz' | 'bz2';
  /** What CloudStack unpacks with, or is lent where it knows nothing of the format. */
  readonly cloudStack: readonly string[];
  /** What others may unpack with. */
  readonly unpackers: readonly (readonly string[])[];
  readonly nbdkitFilter?: 'gzip' | 'xz';
  readonly targets: readonly Target[];
}

const packings: readonly Packing[] = [
  {
    suffix: 'gz',
    cloudStack: ['gunzip', '-c'],
    unpackers: [
      ['igzip', '-dc'],
      ['pigz', '-dc'],
    ],
    nbdkitFilter: 'gzip',
    targets: [overCloudStack(3.3), overPeers(1.6), overBound(1.5)],
  },
  {
    suffix: 'zst',
    cloudStack: ['zstd', '-dcq'],
    unpackers: [['zstd', '-dcq']],
    targets: [overCloudStack(1.4), overPeers(1.1), overBound(1.6)],
  },
  {
    suffix: 'xz',
    cloudStack: ['xz', '-dc'],
    unpackers: [['xz', '-dc', '-T0']],
    nbdkitFilter: 'xz',
    targets: [overCloudStack(1.9), overPeers(1), overBound(1.15)],
  },
  {
    suffix: 'bz2',
    cloudStack: ['bunzip2', '-c'],
    unpackers: [['lbzip2', '-dc']],
    targets: [overCloudStack(2.5), overPeers(1), overBound(1.15)],
  },
];

async function packedCases(kit: Kit, ground: Ground): Promise<Case[]> {
  return Promise.all(
    packings.map(async ({ suffix, unpackers, nbdkitFilter, targets, ...packing }): Promise<Case> => {
      const fetched = `image.qcow2.${suffix}` as const;
      const artefact = ground.artefacts[fetched];
      const task: Task = { url: ground.urlOf(fetched), artefact, store: 'qcow2' };
      const metalink = await ground.metalinkTask(artefact, { mirrors: ['clean'], pieces: false });
      return {
        name: suffix,
        title: `qcow2.${suffix}`,
        fetched,
        stored: 'image.qcow2',
        bound: 'fastest',
        targets,
        contestants: [
          millraceAgent(kit, task),
          millraceCommand(kit, task),
          cloudStack(kit, task, packing.cloudStack),
          ...unpackers.flatMap((unpacker) => [
            curlPipeline(kit, task, 'curl | tee', unpacker),
            curlPipeline(kit, task, 'curl | tee, direct I/O', unpacker),
          ]),
          aria2(kit, metalink, unpackers[0]),
          ...(nbdkitFilter === undefined ? [] : [nbdkit(kit, task, nbdkitFilter)]),
          ...unpackers.map((unpacker) => unpackBound(kit, task, unpacker)),
        ],
      };
    }),
  );
}

async function rawPoolCase(kit: Kit, ground: Ground): Promise<Case> {
  const artefact = ground.artefacts['image.qcow2'];
  const task: Task = { url: ground.urlOf('image.qcow2'), artefact, store: 'raw' };
  const metalink = await ground.metalinkTask(artefact, { mirrors: ['clean'], pieces: false });
  return {
    name: 'raw-pool',
    title: 'qcow2 to a raw pool',
    fetched: 'image.qcow2',
    stored: 'image.raw',
    bound: 'slowest',
    targets: [overCloudStack(4), overPeers(3.5), overBound(1.2)],
    contestants: [
      millraceAgent(kit, task),
      millraceCommand(kit, task),
      cloudStack(kit, task),
      curlPipeline(kit, task, 'curl | tee'),
      curlPipeline(kit, task, 'curl | tee, direct I/O'),
      aria2(kit, { ...metalink, store: 'raw' }),
      nbdkit(kit, task),
      hashBound(kit, task),
      networkBound(kit, task),
      diskBound(kit, ground.artefacts['image.raw']),
    ],
  };
}

async function limitedCase(kit: Kit, ground: Ground): Promise<Case> {
  const artefact = ground.artefacts['image.qcow2'];
  const metalink = await ground.metalinkTask(artefact, {
    mirrors: ['limited', 'limited', 'limited', 'limited'],
    pieces: false,
  });
  const oneMirror: Task = { url: `${ground.limited[0]!.origin}/${artefact.name}`, artefact, store: 'qcow2' };
  const mirrorRate = `${ground.limitedBytesPerSecond / 1e6} MB/s`;
  return {
    name: 'limited',
    title: `four mirrors limited to ${mirrorRate} each`,
    fetched: 'image.qcow2',
    stored: 'image.qcow2',
    bound: { seconds: artefact.bytes / (ground.limited.length * ground.limitedBytesPerSecond) },
    targets: [overCloudStack(3.8), overPeers(1), overBound(1 / 0.95, '≥ 95 % of the sum')],
    contestants: [
      millraceAgent(kit, metalink),
      millraceCommand(kit, metalink),
      cloudStack(kit, oneMirror),
      aria2(kit, metalink),
    ],
  };
}

async function faultyCase(kit: Kit, ground: Ground): Promise<Case> {
  const artefact = ground.artefacts['image.qcow2'];
  const clean = await ground.metalinkTask(artefact, { mirrors: ['clean', 'clean', 'clean'], pieces: true });
  const faulty = await ground.metalinkTask(artefact, { mirrors: ['dead', 'corrupt', 'clean'], pieces: true });
  return {
    name: 'faulty',
    title: 'three mirrors, one dead, one corrupting every 50th piece',
    fetched: 'image.qcow2',
    stored: 'image.qcow2',
    bound: 'slowest',
    targets: [
      {
        text: '≤ 1.15× of clean',
        column: 'bound',
        of: 'millrace',
        to: { entry: 'Millrace, agent, three good mirrors' },
        atMost: 1.15,
      },
    ],
    contestants: [
      millraceAgent(kit, faulty),
      millraceAgent(kit, clean, 'Millrace, agent, three good mirrors'),
      millraceCommand(kit, faulty),
      millraceCommand(kit, clean, 'Millrace, command, three good mirrors'),
      aria2(kit, faulty),
      aria2(kit, clean, [], 'aria2c, three good mirrors'),
    ],
  };
}

/** From one limited mirror: the faster the network, the less there is to save, since what was kept is verified again. */
function killedCase(kit: Kit, ground: Ground): Case {
  const artefact = ground.artefacts['image.qcow2'];
  const [mirror] = ground.limited;
  if (mirror === undefined) throw new Error('there is no limited mirror');
  const task: Task = { url: `${mirror.origin}/${artefact.name}`, artefact, store: 'qcow2' };
  const killedAt = { mirror, bytes: Math.floor(artefact.bytes * 0.9) };
  const fromNothing = 'Millrace, agent, from nothing';
  return {
    name: 'killed',
    title: '`kill -9` at 90 %, again',
    fetched: 'image.qcow2',
    stored: 'image.qcow2',
    bound: 'slowest',
    targets: [
      {
        text: '≥ 8× less than from nothing',
        column: 'bound',
        of: { entry: fromNothing },
        to: 'millrace',
        atLeast: 8,
      },
    ],
    contestants: [
      millraceAgent(kit, task, fromNothing),
      { ...millraceAgent(kit, task), killedAt },
      millraceCommand(kit, task, 'Millrace, command, from nothing'),
      { ...millraceCommand(kit, task), killedAt },
    ],
  };
}

/** A quarter of the image: does memory grow with what is fetched? */
function smallCase(kit: Kit, ground: Ground): Case {
  const artefact = ground.artefacts['small.qcow2'];
  const task: Task = { url: ground.urlOf('small.qcow2'), artefact, store: 'qcow2' };
  return {
    name: 'small',
    title: 'a quarter of the image, for its memory',
    fetched: 'small.qcow2',
    stored: 'small.qcow2',
    bound: 'slowest',
    targets: [],
    contestants: [millraceAgent(kit, task), millraceCommand(kit, task), hashBound(kit, task)],
  };
}
