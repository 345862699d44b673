import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Task } from './contestants.ts';
import { type Artefact, type ArtefactName, describeArtefacts } from './image/artefacts.ts';
import { makeCorruptCopy, writeMetalink } from './image/mirrors.ts';
import { freePort } from './serve/free-port.ts';
import { type LimitedMirror, startLimitedMirror } from './serve/limited-mirror.ts';
import { startNginx } from './serve/nginx.ts';

/** What all contestants fetch from. */
export interface Ground extends AsyncDisposable {
  readonly artefacts: Readonly<Record<ArtefactName, Artefact>>;
  readonly limited: readonly LimitedMirror[];
  readonly limitedBytesPerSecond: number;
  /** At the first good mirror. */
  urlOf(name: ArtefactName): string;
  /** Writes a metalink of the mirrors, in this order and equally good, and serves it. */
  metalinkTask(artefact: Artefact, facts: MirrorChoice): Promise<Task>;
}

export interface MirrorChoice {
  /** `dead`: nobody listens; `corrupt`: every fiftieth piece is wrong. */
  readonly mirrors: readonly ('clean' | 'corrupt' | 'dead' | 'limited')[];
  readonly pieces: boolean;
}

export interface GroundOptions {
  readonly imageDirectory: string;
  readonly work: string;
  readonly pieceBytes: number;
  readonly limitedBytesPerSecond: number;
  readonly signal: AbortSignal;
}

const limitedMirrors = 4;
const cleanMirrors = 3;

/** Describes the image's files, and starts the mirrors that serve them. */
export async function prepareGround(options: GroundOptions): Promise<Ground> {
  const { imageDirectory, work, limitedBytesPerSecond, signal } = options;
  const artefacts = await describeArtefacts(imageDirectory, options.pieceBytes);
  const metalinks = join(work, 'metalinks');
  await mkdir(metalinks, { recursive: true });
  const corrupt = await makeCorruptCopy(work, artefacts['image.qcow2']);
  await using stack = new AsyncDisposableStack();
  const clean = Array<string>(cleanMirrors).fill(imageDirectory);
  const nginx = stack.use(await startNginx(work, [...clean, corrupt, metalinks], signal));
  const limited: LimitedMirror[] = [];
  for (let index = 0; index < limitedMirrors; index++) {
    limited.push(stack.use(await startLimitedMirror(imageDirectory, limitedBytesPerSecond)));
  }
  const origins = {
    clean: nginx.origins.slice(0, cleanMirrors),
    corrupt: [nginx.origins[cleanMirrors]!],
    limited: limited.map(({ origin }) => origin),
    dead: [`http://127.0.0.1:${await freePort()}`],
  };
  const stopping = stack.move();
  let written = 0;
  return {
    artefacts,
    limited,
    limitedBytesPerSecond,
    urlOf: (name) => `${origins.clean[0]}/${name}`,
    async metalinkTask(artefact, { mirrors, pieces }) {
      const urls = mirrors.map((kind, index) => {
        const before = mirrors.slice(0, index).filter((other) => other === kind).length;
        return `${origins[kind][before]}/${artefact.name}`;
      });
      const name = `${++written}.meta4`;
      await writeMetalink(join(metalinks, name), artefact, { urls, pieces });
      return { url: `${nginx.origins.at(-1)}/${name}`, artefact, store: 'qcow2', isMetalink: true };
    },
    [Symbol.asyncDispose]: () => stopping.disposeAsync(),
  };
}
