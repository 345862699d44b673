import { close, constants, open } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runProgram, spawnProgram } from '@millrace/core';

/** One end of a pipe. Given to a program it is closed here once that has started, or the other end would never see its end. */
export interface PipeEnd {
  readonly fd: number;
  /** Nothing happens the second time: by then the number may be another file's. */
  close(): Promise<void>;
}

export interface WidePipe {
  readonly writeEnd: PipeEnd;
  readonly readEnd: PipeEnd;
}

/**
 * A pipe of 1 MiB. What Node makes for a child holds 208 KiB and a usual pipe 64 KiB: igzip takes and prints a mebibyte at
 * a time, and needs 1.6 times as long when each of them has to be passed on piece by piece.
 */
export async function openWidePipe(signal: AbortSignal): Promise<WidePipe> {
  signal.throwIfAborted();
  // in a directory that nobody else can enter: whoever could open it could put bytes into the image
  const directory = await mkdtemp(join(tmpdir(), 'millrace-pipe-'));
  const path = join(directory, 'pipe');
  const opened: PipeEnd[] = [];
  const openEnd = async (flags: number) => {
    const end = ownedEnd(await promisify(open)(path, flags));
    opened.push(end);
    return end;
  };
  try {
    await runProgram('mkfifo', ['-m', '600', path], { signal });
    // one that is both ends comes first, or each of the others would wait for the other one
    const both = await openEnd(constants.O_RDWR);
    await widen(both.fd, signal);
    const ends = {
      writeEnd: await openEnd(constants.O_WRONLY),
      readEnd: await openEnd(constants.O_RDONLY),
    };
    await both.close();
    return ends;
  } catch (error) {
    await Promise.all(opened.map((end) => end.close()));
    throw error;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function ownedEnd(fd: number): PipeEnd {
  let open = true;
  return {
    fd,
    async close() {
      if (!open) return;
      open = false;
      await promisify(close)(fd);
    },
  };
}

/** F_SETPIPE_SZ is 1031. Node has no fcntl, and perl is on every Debian. Where it is refused the pipe works all the same. */
const setPipeSize = 'fcntl(STDIN, 1031, 1048576)';

function widen(pipe: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const child = spawnProgram('perl', ['-e', setPipeSize], { signal, stdio: [pipe, 'ignore', 'ignore'] });
  child.once('error', () => resolve());
  child.once('exit', () => resolve());
  return promise;
}
