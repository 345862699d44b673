import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { openWidePipe, type PipeEnd } from './wide-pipe.ts';

/** A way into a program that takes more at once than what Node makes for a child. */
export interface ProgramInlet extends AsyncDisposable {
  /** To be given to the program as its stdin. */
  readonly stdin: PipeEnd;
  /** What is written here is what the program reads; errors when the program does not want any more. */
  readonly writable: Writable;
}

export async function openProgramInlet(signal: AbortSignal): Promise<ProgramInlet> {
  const { writeEnd, readEnd } = await openWidePipe(signal);
  // the socket closes its file itself
  const writable = new Socket({ fd: writeEnd.fd, readable: false, writable: true });
  writable.on('error', () => {});
  return {
    stdin: readEnd,
    writable,
    async [Symbol.asyncDispose]() {
      writable.destroy();
      await readEnd.close();
    },
  };
}
