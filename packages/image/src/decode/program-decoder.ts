import type { Readable, Writable } from 'node:stream';
import { describeError, orAborted, spawnProgram } from '@millrace/core';
import { findConfinement } from '../confine/confinement.ts';
import { FetchFault } from '../errors.ts';
import type { ImageWriter } from '../transfer/image-writer.ts';
import { type EndCheck, endCheckFor, type ProgramCompression } from './end-check.ts';
import { openProgramInlet, type ProgramInlet } from './program-inlet.ts';
import { judgeExit, type ProgramExit, type UnpackProgram, unpackCommand } from './programs.ts';
import { openSlabOutlet } from './slab-outlet.ts';
import type { DecodeOptions } from './stage.ts';

/**
 * Unpacks through the first of the programs that is installed, confined, and notices what that program would let pass.
 * @throws FetchFault `ARCHIVE_BROKEN`, `DECODER_MISSING` (before any input is read), `DECODER_FAILED`; whatever the input
 * throws, in preference to what the program made of an input that ended early
 */
export async function* decodeThroughProgram(
  compression: ProgramCompression,
  programs: readonly UnpackProgram[],
  input: AsyncIterable<Buffer>,
  options: DecodeOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const child = await start(programs, options, { signal, streams: ['pipe', 'pipe'] });
  // made here, so they are there
  const [stdin, stdout] = [child.stdin!, child.stdout!];
  const check = endCheckFor(compression);
  const feeding = feed(input, stdin, check, options.partial ?? false);
  const complaints = readComplaints(child.stderr);
  const held = holdBack(options.partial ? 0 : check.markBytes);
  try {
    for await (const chunk of stdout as AsyncIterable<Buffer>) yield* held.pass(chunk);
    const exit = await child.exit;
    options.signal.throwIfAborted();
    feeding.throwIfFailed();
    if (options.partial) return;
    judgeExit(compression, exit, await complaints);
    // it may have left before the end of the input, whose rest is then looked at without it
    await orAborted(feeding.ended, options.signal);
    feeding.throwIfFailed();
    const imageBytes = check.finish({ bytes: held.bytes, tail: held.tail() });
    yield* held.release(imageBytes);
  } finally {
    // the consumer went away, or something failed: neither the program nor whoever feeds it may wait for it
    stop.abort();
    feeding.stop();
  }
}

interface RunningProgram {
  /** Where they were asked for. */
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable;
  readonly exit: Promise<ProgramExit>;
}

/**
 * The same straight into the slabs of a writer, without a copy on the way.
 * @returns how many of the bytes written are the image's: the last few may not be
 */
export async function unpackThroughProgram(
  compression: ProgramCompression,
  programs: readonly UnpackProgram[],
  input: AsyncIterable<Buffer>,
  options: DecodeOptions & { readonly writer: ImageWriter },
): Promise<number> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const check = endCheckFor(compression);
  const outlet = await openSlabOutlet(options.writer, { tailBytes: check.markBytes, signal });
  let inlet: ProgramInlet | undefined;
  let feeding: Feeding | undefined;
  try {
    inlet = await openProgramInlet(signal);
    const child = await start(programs, options, {
      signal,
      streams: [inlet.stdin.fd, outlet.stdout.fd],
    });
    await Promise.all([inlet.stdin.close(), outlet.stdout.close()]);
    feeding = feed(input, inlet.writable, check, false);
    const complaints = readComplaints(child.stderr);
    const output = await outlet.drained;
    const exit = await child.exit;
    options.signal.throwIfAborted();
    feeding.throwIfFailed();
    judgeExit(compression, exit, await complaints);
    await orAborted(feeding.ended, options.signal);
    feeding.throwIfFailed();
    return check.finish(output);
  } finally {
    stop.abort(new Error('unpacking has ended'));
    feeding?.stop();
    await inlet?.[Symbol.asyncDispose]();
    await outlet.close();
  }
}

async function start(
  programs: readonly UnpackProgram[],
  options: DecodeOptions,
  {
    signal,
    streams,
  }: { readonly signal: AbortSignal; readonly streams: readonly ['pipe' | number, 'pipe' | number] },
): Promise<RunningProgram> {
  const confinement = options.confinement ?? (await findConfinement(options.signal));
  if (confinement === undefined) throw new FetchFault('DECODER_MISSING', 'prlimit');
  const command = await unpackCommand(programs, confinement);
  if (command === undefined) {
    throw new FetchFault('DECODER_MISSING', programs.map(({ name }) => name).join(' or '));
  }
  const child = spawnProgram(command.file, command.argv, {
    signal,
    wholeGroup: true,
    stdio: [...streams, 'pipe'],
  });
  const started = Promise.withResolvers<void>();
  const exit = Promise.withResolvers<ProgramExit>();
  child.once('spawn', started.resolve);
  child.on('error', (error) => {
    started.reject(new FetchFault('DECODER_FAILED', describeError(error), { cause: error }));
  });
  child.once('close', (code, signalName) => exit.resolve({ code, signal: signalName }));
  await started.promise;
  // stderr is always asked for
  return { stdin: child.stdin, stdout: child.stdout, stderr: child.stderr!, exit: exit.promise };
}

interface Feeding {
  /** Throws what the input threw, or what the check did. */
  throwIfFailed(): void;
  /** Resolves when the whole input has been looked at, or failed. */
  readonly ended: Promise<void>;
  stop(): void;
}

/** Hands the input to the program, and goes on to look at it when the program does not want any more. */
function feed(input: AsyncIterable<Buffer>, stdin: Writable, check: EndCheck, partial: boolean): Feeding {
  const chunks = input[Symbol.asyncIterator]();
  let failure: { readonly error: unknown } | undefined;
  let wanted = true;
  // a program that ends early closes its stdin: its exit code says why
  const unwanted = () => {
    wanted = false;
  };
  stdin.on('error', unwanted);
  const run = async () => {
    // a chunk is written before the next is asked for: whoever gives them may use the memory again
    for (let result = await chunks.next(); !result.done; result = await chunks.next()) {
      if (!partial) check.update(result.value);
      if (wanted) await writeTo(stdin, result.value).catch(unwanted);
      else if (!partial) check.updateUnread(result.value);
    }
    if (wanted) stdin.end(partial ? undefined : check.suffix);
  };
  const ended = run().catch((error: unknown) => {
    failure = { error };
    stdin.destroy();
  });
  return {
    throwIfFailed() {
      if (failure) throw failure.error;
    },
    ended,
    stop() {
      stdin.destroy();
      // not waited for: it only ends when a read that is under way does, and whoever ends this stage aborts that one
      chunks.return?.().then(
        () => {},
        () => {},
      );
    },
  };
}

function writeTo(stdin: Writable, chunk: Buffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  stdin.write(chunk, (error) => (error ? reject(error) : resolve()));
  return promise;
}

/** Keeps the last bytes of the output back, as only its end tells whether they are the image's. */
function holdBack(length: number) {
  let held = Buffer.alloc(0);
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    tail: () => held,
    *pass(chunk: Buffer): Generator<Buffer> {
      bytes += chunk.length;
      const free = held.length + chunk.length - length;
      if (free > 0 && held.length > 0) yield held.subarray(0, free);
      if (free > held.length) yield chunk.subarray(0, free - held.length);
      const kept = Buffer.concat([held, chunk.subarray(Math.max(0, chunk.length - length))]);
      held = kept.subarray(Math.max(0, kept.length - length));
    },
    /** What was held back, up to the end of the image. */
    *release(imageBytes: number): Generator<Buffer> {
      const mine = imageBytes - (bytes - held.length);
      if (mine > 0) yield held.subarray(0, mine);
    },
  };
}

async function readComplaints(stderr: Readable): Promise<string> {
  let text = '';
  try {
    for await (const chunk of stderr as AsyncIterable<Buffer>) {
      if (text.length < 2000) text += chunk.toString('utf8');
    }
  } catch {
    // the program was killed; what it said until then is enough
  }
  return text.trim();
}
