import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';

/**
 * Reads a secret: from a terminal without showing what is typed, from a pipe its first line.
 * @throws Error when the input ends before a line
 */
export async function readSecret(input: NodeJS.ReadStream, signal: AbortSignal): Promise<string> {
  const isTty = input.isTTY === true;
  if (isTty) process.stderr.write('Secret (not shown): ');
  // readline echoes what is typed to its output: nowhere
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input, output: nowhere, terminal: isTty });
  signal.addEventListener('abort', () => lines.close(), { once: true });
  try {
    for await (const line of lines) return line.trim();
    signal.throwIfAborted();
    throw new Error('no secret was given on standard input');
  } finally {
    lines.close();
    if (isTty) process.stderr.write('\n');
  }
}
